"""What must be the same on all machines."""

from pathlib import Path

from agents.cluster.versions import LAYERS, code_digest, differences, versions


def checkout(folder: Path, text: str) -> Path:
    for layer in LAYERS:
        (folder / layer).mkdir(parents=True)
        (folder / layer / "file.py").write_text(text)
    return folder


def test_one_machine_is_like_itself() -> None:
    assert differences(versions(), versions()) == ""
    assert {"python", "torch", "code"} <= set(versions())


def test_differences_are_named_with_both_values() -> None:
    here = {"python": "3.11.2", "torch": "2.13.0", "code": "abc (commit 1)"}
    there = {"python": "3.11.2", "torch": "2.6.0", "code": "def (commit 2)"}
    assert differences(here, there) == (
        "torch 2.6.0 and not 2.13.0, code def (commit 2) and not abc (commit 1)"
    )
    assert differences(here, {}).startswith("python unknown and not 3.11.2")


def test_the_same_code_under_another_commit_is_the_same() -> None:
    assert differences({"code": "abc (commit 1)"}, {"code": "abc (commit 1-dirty)"}) == ""


def test_code_is_told_apart_by_content_and_place(tmp_path: Path) -> None:
    one = code_digest(checkout(tmp_path / "one", "a = 1"))
    assert one == code_digest(checkout(tmp_path / "same", "a = 1"))
    assert one != code_digest(checkout(tmp_path / "other", "a = 2"))
    (tmp_path / "same" / "calm" / "notes.txt").write_text("no code")
    code_digest.cache_clear()
    assert one == code_digest(tmp_path / "same")
    (tmp_path / "same" / "calm" / "file.py").rename(tmp_path / "same" / "calm" / "moved.py")
    code_digest.cache_clear()
    assert one != code_digest(tmp_path / "same")
