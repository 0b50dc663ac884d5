"""Makes the temporary folder of a batch's games, and removes folders of killed processes.

A folder is locked as long as its process lives. A process that is killed can't remove its folder;
where it has workers they do, else the next batch that is made on this machine does.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from calm.errors import GameError

PREFIX = "calm-"
_NAME = re.compile(r"calm-(\d+)-[a-z0-9_]{8}")  # process id, and what mkdtemp adds
LEVEL = "nhdat"
"""The file that each of our folders holds."""
YOUNG_SECONDS = 60.0
"""Younger folders are left alone: a process may not have locked its own yet."""


class Folder:
    """A folder with one for each game in it, as nle makes them, all with the same level.

    Args:
        env: MiniHack's object, whose level is compiled.
        n_envs: games.

    Raises:
        GameError: there is no space for it.
    """

    def __init__(self, env: Any, n_envs: int) -> None:
        memory = Path("/dev/shm")
        where = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
        sweep(where)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=where))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._fill(env, n_envs)
        except OSError as error:
            self.remove()
            raise GameError(
                f"there is no place for {n_envs} games in {where}: {error}; free some space there"
            ) from error

    def _fill(self, env: Any, n_envs: int) -> None:
        """Makes the folders of the games."""
        level = self.path / LEVEL
        shutil.copyfile(Path(env.nethack._vardir) / LEVEL, level)
        for i in range(n_envs):
            folder = self.path / str(i)
            (folder / "save").mkdir(parents=True)
            for name in ("perm", "record", "logfile", "xlogfile"):
                (folder / name).touch()
            (folder / LEVEL).symlink_to(level)

    def remove(self) -> None:
        """Removes the folder; more than once does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep(where: Path) -> None:
    """Removes, below `where`, the folders of this user's processes that no longer run."""
    for folder in where.glob(f"{PREFIX}[0-9]*-*"):
        name = _NAME.fullmatch(folder.name)
        try:
            if name is None or not (folder / LEVEL).is_file():
                continue  # somebody else's
            state = folder.lstat()
            if state.st_uid != os.getuid() or time.time() - state.st_mtime < YOUNG_SECONDS:
                continue
            if Path("/proc", name[1]).exists():
                continue  # an older version, which locks nothing, may have made it
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # not a folder, or gone meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # its process lives
        finally:
            os.close(descriptor)
