"""Locks a folder that a process writes into, for one owner at a time: a run, a demo, a study.

The owner holds a lock of the operating system on the file `owner.json` in the folder, which names
it. Such a lock ends with its process, whatever ends that. It is not seen from another
machine that shares the folder, so there a file that is still there is taken for an owner.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from calm.errors import UsageError

FILE = "owner.json"
"""The file that is locked, in the folder."""


class FolderInUse(UsageError):
    """Another process owns a folder, or may own it on another machine."""


_held: set[tuple[int, int]] = set()
"""Folders that this process owns, by device and inode: the system lets a process lock twice."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Owns a folder, which is made if need be, for as long as the block lasts.

    The folder may be moved meanwhile; the lock moves with it.

    Raises:
        FolderInUse: another process owns it, or may own it on another machine; the message names
            the process, and what to do.
        UsageError: it can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(f"{folder} can't be used: {error.strerror}") from None
    try:
        status = os.fstat(place)
        key = (status.st_dev, status.st_ino)
        if key in _held:
            raise FolderInUse(f"{folder} is in use by this very process")
        lock = _lock(folder, place)
        _held.add(key)
        try:
            yield
        finally:
            _held.discard(key)
            with contextlib.suppress(OSError):  # a folder that is gone needs no unlocking
                os.unlink(FILE, dir_fd=place)
            os.close(lock)
    finally:
        os.close(place)


@contextmanager
def owned_in_turn(folder: Path, seconds: float = 600.0) -> Iterator[None]:
    """Owns a folder as `owned` does, after waiting for another owner to end.

    Args:
        folder: to own.
        seconds: to wait at most.

    Raises:
        FolderInUse: it is still owned then.
        UsageError: it can't be written, which is told at once.
    """
    end = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(owned(folder))
                break
            except FolderInUse:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        yield


def forget_dead_owner(folder: Path) -> None:
    """Removes what an owner on another machine has left, for a caller who knows that it is dead.

    An owner on this machine stays: whether it lives is seen from its lock.
    """
    path = folder / FILE
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads(path.read_text("utf-8")).get("host", _host()) != _host():
            path.unlink()


def is_owned(folder: Path) -> bool:
    """Returns whether a process owns a folder, as far as can be read: nothing is locked for it.

    On another machine an owner is taken to live as long as its file is there.
    """
    try:
        owner = json.loads((folder / FILE).read_text("utf-8"))
        if owner.get("host", _host()) != _host():
            return True
        os.kill(int(owner["pid"]), 0)
    except PermissionError:
        return True  # a process of another user
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return False
    return True


def _lock(folder: Path, place: int) -> int:
    """Locks the file in the folder open as `place`, and writes this process into it.

    Returns:
        Its descriptor; closing it ends the lock. The lock is not inherited by child processes.
    """
    while True:
        try:
            lock = os.open(FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644, dir_fd=place)
        except OSError as error:
            raise UsageError(f"{folder} can't be written: {error.strerror}") from None
        try:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    raise FolderInUse(
                        f"{folder} is in use by {_described(_owner(lock))}; wait until that has"
                        " ended, or name another folder"
                    ) from None
                # A file system without locks: what the file says has to do.
            if not _is_current(lock, place):
                os.close(lock)  # its owner has just removed it
                continue
            owner = _owner(lock)
            if owner.get("host", _host()) != _host():
                raise FolderInUse(
                    f"{folder} is in use by {_described(owner)}, or was left so when that died,"
                    f" which can't be seen from here; if it has ended, remove {folder / FILE}"
                )
            about = {"pid": os.getpid(), "host": _host(), "since": _now()}
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps(about).encode(), 0)
        except OSError as error:
            os.close(lock)
            raise UsageError(f"{folder} can't be written: {error.strerror}") from None
        except BaseException:
            os.close(lock)
            raise
        return lock


def _is_current(lock: int, place: int) -> bool:
    """Returns whether the file that is locked is still the one in the folder."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(FILE, dir_fd=place))
    except FileNotFoundError:
        return False


def _owner(lock: int) -> dict[str, str]:
    """Returns the owner that the file names; empty where it can't be read."""
    try:
        about = json.loads(os.pread(lock, 4096, 0))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in about.items()} if isinstance(about, dict) else {}


def _described(owner: dict[str, str]) -> str:
    """Returns an owner in words."""
    if "pid" not in owner:
        return "another process"
    return (
        f"process {owner['pid']} on {owner.get('host', 'this machine')}, since"
        f" {owner.get('since', 'an unknown time')}"
    )


def _host() -> str:
    return socket.gethostname()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
