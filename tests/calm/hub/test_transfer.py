"""A package goes to a hub and comes back whole, through the hub's real client."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from calm.errors import CalmError, UsageError
from calm.hub.alone import alone
from calm.hub.package import FILE, Package, describe_folder
from calm.hub.transfer import pull, push
from tests.support.loopback_hub import LoopbackHub, Repository, hurry

NAME = "maker/answers"
LARGE = bytes(range(256)) * 1200


def package(folder: Path, content: bytes = LARGE) -> Path:
    """A package of answers, with a table for the hub's page that is no part of it."""
    (folder / "tables").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"schema_version": 1}')
    (folder / "answers.parquet").write_bytes(content)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n\n# Answers\n")
    (folder / "tables" / "a.parquet").write_bytes(b"PAR1")
    describe_folder(folder, "store", "answers of mine", {"answers": 7})
    return folder


@pytest.fixture
def pushed(empty_hub: LoopbackHub, tmp_path: Path) -> LoopbackHub:
    push(package(tmp_path / "made"), NAME)
    return empty_hub


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_what_is_pushed_is_pulled(empty_hub: LoopbackHub, tmp_path: Path) -> None:
    lines: list[str] = []
    made = package(tmp_path / "made")
    address = push(made, NAME, tell=lines.append)
    repository = empty_hub.repositories[f"datasets/{NAME}"]
    assert address == f"{empty_hub.url}/datasets/{NAME}/commit/{1:040x}"
    assert repository.private
    assert set(repository.files) == {*contents(made), "tables/a.parquet"}
    assert "5 files, 0.3 MB to the private dataset maker/answers" in lines[0]

    steps: list[tuple[str, int, int]] = []
    checked: list[Package] = []
    got = pull(
        NAME,
        tmp_path / "x" / "here",
        check=lambda one, folder: checked.append(one),
        tell=lines.append,
        progress=lambda *step: steps.append(step),
    )
    files = contents(tmp_path / "x" / "here")
    assert files.keys() == {"calm.json", "README.md", "manifest.json", "answers.parquet"}
    assert files["answers.parquet"] == LARGE
    assert got == checked[0]
    assert (got.kind.name, got.name, got.about) == ("store", "answers of mine", {"answers": 7})
    assert steps[-1][1] == steps[-1][2]
    assert "store answers of mine, 2 files, 0.3 MB" in lines[1]
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["here"]


def test_what_was_uploaded_is_not_uploaded_again(empty_hub: LoopbackHub, tmp_path: Path) -> None:
    made = package(tmp_path / "made")
    empty_hub.refuse_commits = True
    with pytest.raises(CalmError, match="the hub has failed on maker/answers"):
        push(made, NAME)
    assert empty_hub.repositories[f"datasets/{NAME}"].files == {}  # nothing of it is there
    uploads = empty_hub.upload_count
    empty_hub.refuse_commits = False
    push(made, NAME)
    assert empty_hub.upload_count == uploads == 2


def test_a_push_without_the_right_to_is_told(
    empty_hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = package(tmp_path / "made")
    with pytest.raises(UsageError, match="names are OWNER/NAME, not 'answers'"):
        push(made, "answers")
    empty_hub.repositories[f"datasets/{NAME}"] = Repository(private=False)
    with pytest.raises(UsageError, match="is there already and public; name --public"):
        push(made, NAME)
    assert push(made, NAME, public=True)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(UsageError, match=r"refuses maker/answers \(401\): HF_TOKEN"):
        push(made, NAME, public=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UsageError, match="needs a token with the right to write: set HF_TOKEN"):
        push(made, NAME)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CalmError, match="can't reach the Hugging Face hub for maker/answers"):
        push(made, NAME)


def test_a_pull_that_breaks_off_resumes(
    pushed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    pushed.cut = [100_000, 0]
    with pytest.raises(CalmError, match="The same command resumes there"):
        pull(NAME, tmp_path / "here")
    assert not (tmp_path / "here").exists()
    (part,) = (tmp_path / ".here.pull").glob("*.part")
    came = part.stat().st_size
    assert 50_000 < came <= 100_000
    pull(NAME, tmp_path / "here")
    assert came in pushed.ranges
    assert contents(tmp_path / "here")["answers.parquet"] == LARGE


def test_another_version_begins_anew_and_is_of_one_commit(
    pushed: LoopbackHub, tmp_path: Path
) -> None:
    partial = tmp_path / ".here.pull"
    partial.mkdir()
    (partial / f"{'0' * 64}.part").write_bytes(b"of yesterday")
    (partial / "answers.parquet").write_bytes(b"of yesterday")
    push(package(tmp_path / "newer", LARGE + b"more"), NAME)
    pull(NAME, tmp_path / "here")
    assert contents(tmp_path / "here")["answers.parquet"] == LARGE + b"more"
    assert len(contents(tmp_path / "here")) == 4


def test_what_is_not_what_its_description_says_is_refused(
    pushed: LoopbackHub, tmp_path: Path
) -> None:
    files = pushed.repositories[f"datasets/{NAME}"].files
    files["answers.parquet"] = LARGE[::-1]
    with pytest.raises(UsageError, match=r"answers\.parquet has another sha256"):
        pull(NAME, tmp_path / "here")
    files["answers.parquet"] = b"\x80\x04 a pickle"
    with pytest.raises(UsageError, match=r"has 11 bytes, its description says 307,200"):
        pull(NAME, tmp_path / "here")
    del files["answers.parquet"]
    with pytest.raises(UsageError, match=r"the hub has no maker/answers:answers\.parquet"):
        pull(NAME, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_what_a_check_refuses_is_not_put_in_place(pushed: LoopbackHub, tmp_path: Path) -> None:
    def check(_: Package, folder: Path) -> None:
        raise UsageError(f"{folder.name} is no store")

    with pytest.raises(UsageError, match="is no store"):
        pull(NAME, tmp_path / "here", check=check)
    assert not (tmp_path / "here").exists()


def test_what_is_not_there_or_another_kind_is_told(
    pushed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "here"
    with pytest.raises(UsageError, match="no package of calm maker/nothing"):
        pull("maker/nothing", out)
    with pytest.raises(UsageError, match="is of kind store, not set"):
        pull(NAME, out, kind="set")
    with pytest.raises(UsageError, match="no package of calm maker/answers of kind agent"):
        pull(NAME, out, kind="agent")
    with pytest.raises(UsageError, match="unknown kind of package 'agents'"):
        pull(NAME, out, kind="agents")
    monkeypatch.delenv("HF_TOKEN")  # it is private
    with pytest.raises(UsageError, match="or not for you; a private one needs HF_TOKEN"):
        pull(NAME, out)
    out.mkdir()
    with pytest.raises(UsageError, match="is there already; name a new folder with --out"):
        pull(NAME, out)


def test_a_model_and_a_dataset_of_one_name_are_told_apart(
    pushed: LoopbackHub, tmp_path: Path
) -> None:
    files = pushed.repositories[f"datasets/{NAME}"].files
    pushed.repositories[NAME] = Repository(commits=[dict(files)])
    with pytest.raises(UsageError, match="is a model and a dataset; say which with --kind"):
        pull(NAME, tmp_path / "here")
    assert pull(NAME, tmp_path / "here", kind="store").name == "answers of mine"


def test_a_newer_version_is_told_before_anything_comes(pushed: LoopbackHub, tmp_path: Path) -> None:
    files = pushed.repositories[f"datasets/{NAME}"].files
    files[FILE] = json.dumps(json.loads(files[FILE]) | {"schema": 2}).encode()
    with pytest.raises(UsageError, match="Update calm"):
        pull(NAME, tmp_path / "here")
    files[FILE] = b"x" * (2 << 20)
    with pytest.raises(UsageError, match="which is no text"):
        pull(NAME, tmp_path / "here")


def test_a_full_disk_is_told(
    pushed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage("/")._replace(free=1_000_000)
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(CalmError, match="the disk is too full"):
            pull(NAME, tmp_path / "here")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(CalmError, match=r"No space left on device\. What has come is kept in"):
            pull(NAME, tmp_path / "here")
    pull(NAME, tmp_path / "here")


def test_a_place_that_is_none_is_told(pushed: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalmError, match="can't write"):
        pull(NAME, tmp_path / "file" / "here")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is there already"):
        pull(NAME, tmp_path / "link")
    assert {p.name for p in tmp_path.iterdir()} == {"made", "file", "link"}


def test_what_another_process_pulls_meanwhile_is_not_pulled_again(
    pushed: LoopbackHub, tmp_path: Path
) -> None:
    def other_is_done(line: str) -> None:
        assert "another process is pulling this" in line
        (tmp_path / "here").mkdir()
        held.__exit__(None, None, None)

    held = alone(tmp_path / ".here.pull", lambda line: None)
    held.__enter__()
    with pytest.raises(UsageError, match="here is there already"):
        pull(NAME, tmp_path / "here", tell=other_is_done)
    assert pushed.ranges == []
    assert {p.name for p in tmp_path.iterdir()} == {"made", "here"}


def test_a_card_that_somebody_emptied_keeps_nothing_back(
    pushed: LoopbackHub, tmp_path: Path
) -> None:
    files = pushed.repositories[f"datasets/{NAME}"].files
    files["README.md"] = b""
    pull(NAME, tmp_path / "here")
    assert (tmp_path / "here" / "README.md").read_bytes() == b""
    files[FILE] = b""
    with pytest.raises(UsageError, match="describes no package"):
        pull(NAME, tmp_path / "there")
