"""Which file a name means, and the name that follows from a file's content."""

import hashlib
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.local.registry import MODELS, KnownModel
from calm.local.weights import find_path, find_weights, models_folder, weights_at
from tests.support.tiny_gguf import gguf_bytes, write_gguf


def test_weights_are_named_by_their_content_wherever_they_lie(tmp_path: Path) -> None:
    first, second = write_gguf(tmp_path / "a.gguf"), write_gguf(tmp_path / "elsewhere" / "b.gguf")
    digest = hashlib.sha256(gguf_bytes()).hexdigest()
    assert weights_at(first).sha256 == digest
    assert weights_at(first).id == weights_at(second).id == f"tiny-model-3@{digest[:12]}"
    other = write_gguf(tmp_path / "c.gguf", weights=641)  # another quantisation
    assert weights_at(other).id != weights_at(first).id
    assert weights_at(other).name == "tiny-model-3"
    nameless = write_gguf(tmp_path / "d.gguf", **{"general.name": None})
    assert weights_at(nameless).name == "model"


def test_a_hash_is_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    first = weights_at(path)
    monkeypatch.setattr("calm.local.weights.sha256_of", lambda path: "of another reading")
    assert weights_at(path) == first
    write_gguf(path, weights=642)
    assert weights_at(path).sha256 == "of another reading"
    (models_folder() / ".known.json").write_text("[broken")
    assert weights_at(path).sha256 == "of another reading"


def test_a_name_of_the_table_is_told_apart_by_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(gguf_bytes()).hexdigest()
    tiny = KnownModel("tiny", "Tiny", "MIT", 1, digest)
    monkeypatch.setattr("calm.local.registry.MODELS", (tiny,))
    assert weights_at(write_gguf(tmp_path / "whatever.gguf")).id == f"tiny@{digest[:12]}"


def test_names_find_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gguf(tmp_path / "a.gguf")
    assert find_path(str(path)) == path
    monkeypatch.chdir(tmp_path)
    assert find_path("a.gguf") == Path("a.gguf")
    pulled = write_gguf(models_folder() / "own--repo--file.gguf")
    assert find_path("own/repo:file.gguf") == pulled
    assert find_path("own--repo--file.gguf") == pulled
    known = write_gguf(models_folder() / "smollm2-135m.gguf")
    assert find_path("smollm2-135m") == known


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("smolm2-135m", "did you mean 'smollm2-135m'"),
        ("smollm2-135m", r"run `calm models pull smollm2-135m` \(98 MB, Apache-2.0\)"),
        ("own/repo:file.gguf", "run `calm models pull own/repo:file.gguf`"),
        ("/none/such.gguf", "there is no file of weights /none/such.gguf"),
        ("../x", "there is no file"),
    ],
)
def test_names_that_find_nothing_say_what_to_do(
    spec: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match=why):
        find_weights(spec)


def test_the_table_names_each_weights_once() -> None:
    assert len({m.name for m in MODELS}) == len({m.sha256 for m in MODELS}) == len(MODELS)
    for model in MODELS:
        assert len(model.sha256) == 64
        assert model.hub or model.packages
        assert model.licence
        for package, member in model.packages.parts if model.packages else ():
            assert member.startswith(package.replace("-", "_") + "/")
