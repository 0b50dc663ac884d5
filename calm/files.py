"""Writes files whole, and names them by content.

A reader finds the old content or the new, never a part of it.

Content is written beside its place, flushed to the disk, and renamed. Whatever goes wrong (a full
disk, a crash, Ctrl-C), a file that was there before stays as it was, and what was begun beside it
is removed. Errors name the file and say what to do.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from calm.errors import CalmError, UsageError

Content = str | bytes | Callable[[Path], object]
"""Text (written as UTF-8), bytes, or a function that writes to the path it is called with."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FREE_BYTES = 1 << 20
"""A disk without room for this much counts as full."""
_LONGEST_SUFFIX = 16


def write_file(path: str | Path, content: Content, *, private: bool = False) -> None:
    """Replaces a file, or makes it and its folder.

    Args:
        path: the file; a symbolic link is followed. Its permissions stay.
        content: its text, its bytes, or a function that writes them. The path that the function
            gets has the file's suffix, exists and is empty.
        private: a new file is for its owner alone to read.

    Raises:
        UsageError: the file can't be written where it is to be.
        CalmError: the disk is full. An error of the function's own is raised as it is.
    """
    with written_file(path, private=private) as partial:
        if isinstance(content, str):
            partial.write_text(content, "utf-8", newline="")
        elif isinstance(content, bytes):
            partial.write_bytes(content)
        else:
            content(partial)


@contextlib.contextmanager
def written_file(path: str | Path, *, private: bool = False) -> Iterator[Path]:
    """Yields an empty file to be written, which takes its place when the block has ended.

    Args:
        private: a new file is for its owner alone to read.

    Raises:
        As `write_file`; an error within leaves what was there before as it was.
    """
    path = Path(path)
    with _explained(path):
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _partial(target, 0o600 if private else 0o666) as partial:
            try:
                yield partial
            except (OSError, CalmError):
                raise
            except Exception as error:  # libraries hide a full disk behind errors of their own
                if _is_full(partial):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
                raise
            _flush(partial)
            os.replace(partial, target)
        _flush(target.parent)


def write_folder(path: str | Path, fill: Callable[[Path], object]) -> None:
    """Makes a folder, or adds to it, once all of its files are written.

    Args:
        path: the folder. Where it is not there, it appears with all files at once; where it is, its
            files are replaced one after the other, each whole, the one written last at the end.
        fill: writes files into the empty folder that it is called with.

    Raises:
        UsageError: the folder can't be written.
        CalmError: the disk is full. An error of the function's own is raised as it is.
    """
    path = Path(path)
    with _explained(path):
        there = path.is_dir()
        if path.exists() and not there:
            raise UsageError(f"can't write {path}: it is a file; name a folder")
        parent = path if there else path.parent
        parent.mkdir(parents=True, exist_ok=True)
        partial = parent / _partial_name("")
        partial.mkdir()
        try:
            try:
                fill(partial)
            except (OSError, CalmError):
                raise
            except Exception as error:
                if _is_full(partial / "rest"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
                raise
            for file in partial.rglob("*"):
                if file.is_file():
                    _flush(file)
            if there:
                for entry in sorted(partial.iterdir(), key=lambda e: e.stat().st_mtime_ns):
                    os.replace(entry, path / entry.name)
            else:
                os.replace(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _flush(parent)


def check_writable(
    path: str | Path, option: str = "--out", named: str = "file", cure: str = ""
) -> None:
    """Makes the folder of a file that is to be written later, and tries to write there.

    The trial is gone at once, and a file that is there already is not touched.

    Args:
        path: the file.
        option: of the command line, that names it.
        named: what the option names: the file, or the "folder" that it will lie in.
        cure: what to do instead, where no option names the file.

    Raises:
        UsageError: it is a folder, or can't be written; better said before the work.
    """
    path = Path(path)
    way_out = cure or f"name another {named} with {option}"
    with _explained(path, way_out):
        if path.is_dir():
            raise UsageError(f"can't write {path}: it is a folder; {way_out}")
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _partial(target) as partial:
            if not target.exists():  # its own name may be longer than the trial's
                os.rename(partial, target)
                target.unlink()


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, 64 hex digits.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _target(path: Path) -> Path:
    """Returns the file that a path leads to, once links are followed.

    Raises:
        UsageError: it is a device, a pipe or a folder.
        OSError: there is no right to write it.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UsageError(f"can't write {path}: it is a folder; name a file")
    if target.exists():
        if not target.is_file():
            raise UsageError(f"can't write {path}: it is no ordinary file; name another")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


def _partial_name(suffix: str) -> str:
    suffix = suffix if len(suffix) <= _LONGEST_SUFFIX else ""
    return f".{os.getpid()}-{secrets.token_hex(4)}.partial{suffix}"


@contextlib.contextmanager
def _partial(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yields an empty file beside the target, with its permissions or `mode`; gone in the end."""
    path = target.parent / _partial_name(target.suffix)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    try:
        if target.exists():
            path.chmod(stat.S_IMODE(target.stat().st_mode))
        yield path
    finally:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Has the system bring a file's or folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems can't
            raise
    finally:
        os.close(descriptor)


def _is_full(path: Path) -> bool:
    """Returns whether the disk has no room to make this file a little longer."""
    try:
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), _FREE_BYTES)
    except OSError as error:
        return error.errno in _FULL
    return False


@contextlib.contextmanager
def _explained(path: Path, cure: str = "name another place") -> Iterator[None]:
    """Makes errors of the file system within name the file and say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CalmError(
                f"can't write {path}: the disk is full; make room and run it again. What was there"
                " before is as it was"
            ) from None
        place = Path(os.fsdecode(error.filename)) if error.filename is not None else path
        elsewhere = place.parent != path.parent and place.parent != path
        at = f"{place}: " if elsewhere else ""
        why = error.strerror or str(error)
        raise UsageError(f"can't write {path}: {at}{why}; {cure}") from None
