"""Compiles levels, and puts them into a game's folder, wherever that and the packages lie.

MiniHack does it by a shell script that quotes none of its paths. Where one holds a space, be it the
folder for temporary files or that of the packages, the script fails, nothing is said, and another
level is played.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from nle import nethack

from calm.errors import GameError

HACKDIR: str = nethack.nethack.HACKDIR
"""Where NetHack's programs lie."""
LEVEL = "mylevel.lev"
"""The compiled level that MiniHack's games start on. NetHack reads it from its archive, nhdat, or,
if it is not in there, from the folder."""


class Levels(Protocol):
    """Makes the levels of a task that has one for each level seed."""

    def compile(self, seed: int) -> bytes:
        """Returns the compiled level of a level seed; raises a GameError where it can't be made."""


def compile_level(command: Sequence[str]) -> int:
    """Does what MiniHack's script does with the arguments that MiniHack gives it; returns 0.

    Args:
        command: the script, the game's folder, NetHack's programs, MiniHack's data and a des-file.

    Raises:
        GameError: there is no such level, or the game's data can't be packed.
    """
    _, game, programs, data, level = command
    if not os.path.exists(level):
        raise GameError(f"there is no level {level}")
    folder = Path(game) / "lib"
    if not folder.is_dir():
        shutil.copytree(data, folder)
    source = folder / "mylevel.des"
    shutil.copy(level, source)
    # Whether it compiles is looked at where the level is first named, see `check_level`.
    subprocess.run(
        [os.path.join(programs, "lev_comp"), source.name],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    source.unlink()
    _pack(Path(game), programs)
    return 0


def _pack(game: Path, programs: str) -> None:
    """Makes the archive that a game in this folder reads of the files in its folder lib."""
    packed = subprocess.run(
        [os.path.join(programs, "dlb"), "cf", "nhdat", *sorted(os.listdir(game / "lib"))],
        cwd=game / "lib", capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if packed.returncode:
        raise GameError(f"the level can't be put into {game}: {packed.stderr.strip()}")
    os.replace(game / "lib" / "nhdat", game / "nhdat")


def lev_comp(des_file: str) -> bytes:
    """Returns a level as NetHack's own program compiles it.

    Args:
        des_file: its text.

    Raises:
        GameError: it does not compile, or there is no room for it; the message says why.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="calm-") as folder:
            Path(folder, "level.des").write_text(des_file)
            compiled = subprocess.run(
                [os.path.join(HACKDIR, "lev_comp"), "level.des"],
                cwd=folder, capture_output=True, text=True, errors="replace", check=False,
            )  # fmt: skip
            level = Path(folder, LEVEL)
            if compiled.returncode or not level.exists():
                raise GameError(compiled.stderr.strip() or 'it must be named "mylevel"')
            return level.read_bytes()
    except OSError as error:
        raise GameError(f"{error}; free some space there") from error


def take_level_out(game: Path) -> None:
    """Makes a game that is not running look for its level beside its archive, see `write_level`."""
    if (game / "lib" / LEVEL).exists():
        (game / "lib" / LEVEL).unlink()
        _pack(game, HACKDIR)


def write_level(game: Path, level: bytes) -> None:
    """Gives a game whose level was taken out the one that it plays from its next start on.

    Args:
        game: its folder.
        level: compiled.

    Raises:
        GameError: it can't be written; the level of before is there still.
    """
    place = os.path.join(game, LEVEL)
    beside = f"{place}.new"
    try:
        with open(beside, "wb") as file:
            file.write(level)
        os.replace(beside, place)
    except OSError as error:
        raise GameError(
            f"a level can't be written to {game}: {error.strerror}; free some space there"
        ) from error


def use_level_compiler(module: Any) -> None:
    """Makes `minihack.base` call `compile_level` in place of its script."""
    module.subprocess = SimpleNamespace(
        call=compile_level, CalledProcessError=subprocess.CalledProcessError
    )
