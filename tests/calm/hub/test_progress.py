"""A file that tells of every block that is written to it."""

from pathlib import Path

from calm.hub.progress import WatchedFile


def test_every_block_is_told_and_a_new_beginning_counts_anew(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    with (tmp_path / "f").open("w+b") as file:
        file.write(b"abc")
        watched = WatchedFile(file, 3, 9, lambda *step: steps.append(step))
        assert watched.tell() == 3
        assert watched.write(b"defg") == 4
        assert watched.seek(0) == 0
        watched.truncate()
        watched.write(b"xy")
    assert (tmp_path / "f").read_bytes() == b"xy"
    assert steps == [("download", 7, 9), ("download", 2, 9)]
