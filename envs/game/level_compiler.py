"""Puts a compiled level into a game's folder, wherever that folder and the packages lie.

MiniHack does it by a shell script that quotes none of its paths. Where one holds a space, be it the
folder for temporary files or that of the packages, the script fails, nothing is said, and another
level is played.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from calm.errors import GameError


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
    packed = subprocess.run(
        [os.path.join(programs, "dlb"), "cf", "nhdat", *sorted(os.listdir(folder))],
        cwd=folder, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if packed.returncode:
        raise GameError(f"the level can't be put into {game}: {packed.stderr.strip()}")
    os.replace(folder / "nhdat", Path(game) / "nhdat")
    return 0


def use_level_compiler(module: Any) -> None:
    """Makes `minihack.base` call `compile_level` in place of its script."""
    module.subprocess = SimpleNamespace(
        call=compile_level, CalledProcessError=subprocess.CalledProcessError
    )
