"""Files are there whole or not at all, and an error names the file and what to do."""

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from calm.errors import CalmError, UsageError
from calm.files import check_writable, write_file, write_folder
from tests.support.small_disk import mounted

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_text_bytes_and_what_a_function_writes_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.npz"
    write_file(path, "naïve\r\n")
    assert path.read_bytes() == "naïve\r\n".encode()
    write_file(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    write_file(path, lambda partial: np.savez(partial, x=np.arange(3)))  # it adds a missing suffix
    assert np.load(path)["x"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["new", "new/file.npz"]


def test_permissions_stay_and_a_link_is_followed(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("old")
    file.chmod(0o640)
    (link := tmp_path / "link").symlink_to(file)
    write_file(link, "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "made", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o640


def test_a_private_file_is_for_its_owner_alone_from_the_start(tmp_path: Path) -> None:
    modes: list[int] = []
    path = tmp_path / "token"
    write_file(path, lambda partial: modes.append(partial.stat().st_mode & 0o777), private=True)
    assert modes == [0o600]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fault", [FULL, ValueError("odd"), KeyboardInterrupt()], ids=repr)
def test_whatever_ends_the_writing_the_old_file_stays(tmp_path: Path, fault: BaseException) -> None:
    (path := tmp_path / "file").write_text("old")

    def half(partial: Path) -> None:
        partial.write_text("ne")
        raise fault

    expected = CalmError if fault is FULL else type(fault)
    with pytest.raises(expected, match="disk is full; make room" if fault is FULL else None):
        write_file(path, half)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]
    with pytest.raises(expected):
        write_folder(tmp_path / "folder", lambda folder: half(folder / "inside"))
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_told_with_the_file_and_spoils_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k") as disk:
        path = disk / "results.txt"
        write_file(path, "good")

        def hidden(partial: Path) -> None:
            """Fails as torch does, which says nothing of a disk."""
            try:
                partial.write_bytes(bytes(100_000))
            except OSError:
                raise RuntimeError("enforce fail at inline_container.cc") from None

        for content in (bytes(100_000), hidden):
            with pytest.raises(CalmError, match=r"results\.txt: the disk is full; make room"):
                write_file(path, content)
        with pytest.raises(CalmError, match="export: the disk is full; make room"):
            write_folder(disk / "export", lambda folder: hidden(folder / "answers"))
        assert names(disk) == ["results.txt"]
        assert path.read_text() == "good"


def test_a_folder_appears_whole_and_one_that_is_there_is_added_to(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        assert not (tmp_path / "set").exists() or "kept" in names(tmp_path / "set")
        (folder / "rows").write_text("rows")
        (folder / "manifest").write_text("manifest")

    write_folder(tmp_path / "set", fill)
    assert names(tmp_path) == ["set", "set/manifest", "set/rows"]
    (tmp_path / "set" / "kept").write_text("as it was")
    (tmp_path / "set" / "rows").write_text("older")
    write_folder(tmp_path / "set", fill)
    assert names(tmp_path / "set") == ["kept", "manifest", "rows"]
    assert (tmp_path / "set" / "rows").read_text() == "rows"
    with pytest.raises(UsageError, match="it is a file; name a folder"):
        write_folder(tmp_path / "set" / "kept", fill)


def test_what_is_no_ordinary_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, why in ((tmp_path / "pipe", "no ordinary file"), (tmp_path, "it is a folder")):
        for write in (lambda p: write_file(p, "text"), check_writable):
            with pytest.raises(UsageError, match=why):
                write(path)
    assert names(tmp_path) == ["pipe"]


def test_a_file_that_can_be_written_gets_its_folder_and_is_not_touched(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "rows.parquet")
    check_writable(tmp_path / "new" / ("r" * 250))  # its name alone is short enough
    assert names(tmp_path) == ["new"]
    (existing := tmp_path / "kept").write_text("as it was")
    check_writable(existing)
    assert existing.read_text() == "as it was"


def test_what_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (file := tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/rows: .*file: File exists; name another"):
        check_writable(file / "rows")
    with pytest.raises(UsageError, match=r"write /proc/rows: .*; name another file with --to"):
        check_writable(Path("/proc/rows"), "--to")
    with pytest.raises(UsageError, match="rrr: File name too long"):
        check_writable(tmp_path / ("r" * 300))
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch(0o400)
    for write in (lambda p: write_file(p, "text"), check_writable):
        with pytest.raises(UsageError, match="file: Permission denied"):
            write(file)


def test_a_folder_that_may_only_be_read_is_named(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ro") as disk:
        for write in (lambda p: write_file(p, "text"), check_writable):
            with pytest.raises(UsageError, match="file: Read-only file system; name another"):
                write(disk / "file")
