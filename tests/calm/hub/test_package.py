"""A package is described by its files, and a description from a stranger is checked."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from calm.errors import UsageError
from calm.hub.package import FILE, KINDS, MAX_BYTES, describe_folder, read_description


def answers(folder: Path) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    (folder / "answers.parquet").write_bytes(b"PAR1")
    (folder / "README.md").write_text("# Answers\n")
    return folder


def described(tmp_path: Path, **others: Any) -> str:
    """A good description, but for some of its fields."""
    folder = tmp_path / "good"
    if not folder.exists():
        describe_folder(answers(folder), "store", "mine", {})
    return json.dumps(json.loads((folder / FILE).read_text()) | others)


def test_files_are_described_by_size_and_hash(tmp_path: Path) -> None:
    folder = answers(tmp_path / "a")
    (folder / "notes.txt").write_text("of no kind")
    package = describe_folder(folder, "store", "mine", {"answers": 3})
    assert [file.name for file in package.files] == ["answers.parquet", "manifest.json"]
    assert package.files[0].sha256 == hashlib.sha256(b"PAR1").hexdigest()
    assert package.size == 6
    assert package.about == {"answers": 3}
    assert read_description((folder / FILE).read_text(), "a") == package


def test_a_folder_without_what_its_kind_needs_is_refused(tmp_path: Path) -> None:
    folder = answers(tmp_path / "a")
    with pytest.raises(UsageError, match=r"no agent: config\.yaml, policy\.safetensors"):
        describe_folder(folder, "agent", "mine", {})


def entry(size: object = 1, sha256: object = "0" * 64) -> dict[str, object]:
    return {"size": size, "sha256": sha256}


GOOD = {"manifest.json": entry(), "answers.parquet": entry()}


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"schema": 2, "calm": "9.0"}, r"pushed by a newer calm \(9\.0\): its schema is 2"),
        ({"schema": "x"}, "newer calm"),
        ({"kind": "stores"}, "did you mean 'store'"),
        ({"kind": []}, "unknown kind of package"),
        ({"kind": "set", "files": GOOD | {"a\0.parquet": entry()}}, "no file of a package"),
        ({"kind": "set", "files": GOOD | {"a\x1b[2J.parquet": entry()}}, "no file of a package"),
        ({"kind": "set", "files": GOOD | {"\ud800.parquet": entry()}}, "no file of a package"),
        ({"kind": "set", "files": GOOD | {f"{'é' * 100}.parquet": entry()}}, "no file of a"),
        ({"files": GOOD | {"../../x.parquet": entry()}}, "no file of a package of kind store"),
        ({"files": GOOD | {"run.py": entry()}}, r"'run\.py' is no file"),
        ({"files": {"manifest.json": entry()}}, r"answers\.parquet is missing"),
        ({"files": GOOD | {"manifest.json": entry(size=0)}}, "a size of 0"),
        ({"files": GOOD | {"manifest.json": entry(size="1")}}, "a size of '1'"),
        ({"files": GOOD | {"manifest.json": entry(sha256="f" * 63)}}, "a sha256 of"),
        ({"files": GOOD | {"manifest.json": entry(size=MAX_BYTES)}}, "at most"),
        ({"files": [1]}, "can't be read"),
        ({"name": "a\x1b[2Jb"}, "a name in print"),
        ({"about": 3}, "can't be read"),
    ],
)
def test_a_description_that_is_none_is_refused(
    tmp_path: Path, others: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_description(described(tmp_path, **others), "o/n")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000])
def test_what_is_no_description_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="describes no package"):
        read_description(text, "o/n")


def test_a_set_may_hold_any_parquet_beside_its_manifest_and_nothing_below() -> None:
    assert KINDS["set"].takes("natural.parquet")
    assert not KINDS["set"].takes("model.pt")
