"""Lets MiniHack play Boxoban's levels from a folder, each level seed always the same one.

MiniHack 1.0.2 looks for the level files inside its own package, leaves out the last level of each,
reads files in whatever order the system lists them, draws levels from Python's global random
numbers, so that no seed fixes one, and fails in its first reset with nle 1.3. `use_level_files`
puts that right; all else is MiniHack's.

The files are those of https://github.com/google-deepmind/boxoban-levels: folders `unfiltered` and
`medium`, each with `train`, `valid` and `test`, and `hard`. A level is a line with its number after
";", then its map, then an empty line: `#` wall, `@` player, `$` box, `.` target.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from calm.errors import UsageError
from envs.game.levels.boxoban_level import BoxobanLevel
from envs.game.levels.code import CheckedCompiler

FOLDER = "CALM_BOXOBAN"
"""The environment variable that names the folder of levels."""
URL = "https://github.com/google-deepmind/boxoban-levels"
_HOW = f"download them (git clone {URL}) and name that folder in {FOLDER}"
_SYMBOLS = set("# @$.\n")
_MOST_ROWS, _MOST_COLUMNS = 20, 76


def read_levels(folder: Path) -> list[str]:
    """Returns the levels of all `.txt` files of a folder, files and levels in their order.

    Each is its map, one line a row, each line ended by a newline.

    Raises:
        UsageError: there is no such folder or no level in it, or a file holds something else.
    """
    levels = []
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        for number, part in enumerate(re.split(r"^;.*\n", path.read_text("utf-8"), flags=re.M)):
            level = part.strip("\n") + "\n"
            if level.strip():
                if fault := _fault_of(level):
                    raise UsageError(
                        f"{path}, level {number} is no level of Boxoban: {fault}; a level is a map"
                        " of # wall, @ player, $ box and . target, with as many boxes as targets"
                    )
                levels.append(level)
    if not levels:
        raise UsageError(f"there are no levels of Boxoban in {folder}; {_HOW}")
    return levels


def _fault_of(level: str) -> str:
    """Returns why a map is none of Boxoban's, or ""."""
    rows = level.splitlines()
    if strange := set(level) - _SYMBOLS:
        return f"there is {min(strange)!r} in it"
    if level.count("@") != 1:
        return f"it has {level.count('@')} players"
    if level.count("$") != level.count(".") or "$" not in level:
        return f"it has {level.count('$')} boxes and {level.count('.')} targets"
    if "" in rows:
        return "there is an empty line in it"
    if len(rows) > _MOST_ROWS or max(map(len, rows)) > _MOST_COLUMNS:
        return f"it has more than {_MOST_ROWS} rows of {_MOST_COLUMNS}"
    return ""


@cache
def _levels_in(folder: str) -> tuple[str, ...]:
    """Returns `read_levels`, read once in a process."""
    return tuple(read_levels(Path(folder)))


def pick(levels: Sequence[str], seed: int) -> str:
    """Returns the level that a level seed plays, each about equally often."""
    return levels[random.Random(seed).randrange(len(levels))]


class BoxobanLevels:
    """Compiles the level that a task of Boxoban's has for a level seed.

    Args:
        env: MiniHack's object; it may be closed afterwards.
    """

    def __init__(self, env: Any) -> None:
        self._levels: Sequence[str] = env._levels
        self._flags: tuple[str, ...] = (*env._flags, "noteleport", "premapped")
        self._compiler = CheckedCompiler(self.draw(0))

    def draw(self, seed: int) -> BoxobanLevel:
        """Returns the level of a level seed."""
        return BoxobanLevel(tuple(pick(self._levels, seed).splitlines()), self._flags)

    def compile(self, seed: int) -> bytes:
        """Returns the compiled level of a level seed.

        Raises:
            GameError: it does not compile.
        """
        return self._compiler.compile(self.draw(seed))


def use_level_files(module: Any) -> None:
    """Makes `minihack.envs.boxohack` read its levels here and draw them by the engine's seed."""
    original = module.BoxoHack.get_lvl_gen
    seed = module.BoxoHack.seed
    packaged = Path(module.LEVELS_PATH)

    def load(path: str) -> tuple[str, ...]:
        if FOLDER not in os.environ and not packaged.exists():
            raise UsageError(f"Boxoban's levels are no part of MiniHack; {_HOW}")
        within = Path(path).relative_to(packaged)
        return _levels_in(str(Path(os.environ.get(FOLDER, packaged)) / within))

    def remember(self: Any, core: int | None = None, *rest: Any, **more: Any) -> Any:
        self._level_core = core
        return seed(self, core, *rest, **more)

    def draw(self: Any) -> Any:
        self._goal_pos_set = set()  # asked for in the reset that is to fill it
        levels = self._levels
        self._levels = [pick(levels, getattr(self, "_level_core", None) or 0)]
        try:
            return original(self)
        finally:
            self._levels = levels

    module.load_boxoban_levels = load
    module.BoxoHack.seed = remember
    module.BoxoHack.get_lvl_gen = draw
