"""Plays quests and the like: takes what helps, crosses the lava, kills what guards the stairs.

MiniHack's quests (`quest_easy.des`, `quest_medium.des`, `quest_hard.des`): Easy and Medium give a
wand of cold and a frost horn at the start. Hard hides a wand of death and one of five things that
help across five cells of lava behind a maze, and a minotaur sleeps on the other side. The map
shows what a thing looks like, not what it is: of two wands one makes cold, and trying tells which.
Where both of Hard's things lie on one cell it has to give up: the list that NetHack shows then is
closed by nle before anyone can choose from it.

The same serves in smaller tasks, where one thing lies there or is carried: Levitate, Freeze-Lava,
LavaCross and WoD; and in CorridorBattle, where there are only monsters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from nle import nethack

from calm.errors import UsageError
from calm.records import Task
from envs.game.actions import BY_NAME
from envs.game.glyphs import COLUMNS, FROST_HORN, ROWS, STONE, THING, THING_OF_GLYPH
from envs.players.player import Array
from envs.players.scripted import Scripted
from envs.players.terrain import MOVES, Cell

_TASKS = ("Quest-", "Levitate-", "Freeze-Lava-", "LavaCross-", "WoD-", "CorridorBattle-")
"""How the names of the tasks begin that it plays."""
_USES = {
    nethack.WAND_CLASS: "zap",
    nethack.RING_CLASS: "put on",
    nethack.POTION_CLASS: "quaff",
    nethack.ARMOR_CLASS: "wear",
}


def _use_of(glyph: int) -> str | None:
    """Returns the action that makes use of an object; None for one that is no help here."""
    if glyph == FROST_HORN:
        return "apply"
    if not nethack.glyph_is_normal_object(glyph):
        return None
    return _USES.get(ord(nethack.objclass(nethack.glyph_to_obj(glyph)).oc_class))


RAY = 7
"""Cells that a ray goes at least (zap.c: range rn1(7, 7))."""
STRONG = 8
"""Level of monsters for which death is kept; a minotaur is 15, a giant rat 1."""


class Quester(Scripted):
    """Explores as `Scripted` does, and uses what it finds.

    Args:
        task: a quest of MiniHack's, or one of the tasks that are done by the same means.

    Raises:
        UsageError: another task.
    """

    name = "quester"

    def __init__(self, task: Task) -> None:
        name = task.id.removeprefix("MiniHack-")
        if not name.startswith(_TASKS):
            families = ", ".join(family.rstrip("-") for family in _TASKS)
            raise UsageError(
                f"the quester plays the quests and the like ({families}), not {task.id}"
            )
        self._hard = name.startswith("Quest-Hard-")
        self._only_death = name.startswith("WoD-")  # every wand there is of death
        self._only_floats = name.startswith("Levitate-")  # that is all there is to do
        self._carries = "-Inv-" in name  # as its object f, from the start
        # By key; the first eight actions are the directions of `MOVES`.
        self._action_of = {int(BY_NAME[action]): i for i, action in enumerate(task.actions)}
        super().__init__(task.actions)

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        self._tried: set[Cell] = set()
        self._picked_up: set[int] = set()
        self._makes_cold: dict[int, bool] = {}
        self._testing: int | None = None
        self._use = -1
        self._toward = 1
        self._spent: dict[int, int] = {}

    def _ideas(self) -> tuple[Callable[[Mapping[str, Array]], int | None], ...]:
        first = (self._kill, self._take, self._to_stairs, self._fight)
        cross = (self._float, self._freeze)
        ready = not self._hard or len(self._tried) >= 2
        then = (*cross, self._explore) if ready else (self._explore, *cross)
        return (*first, *then, self._search)

    def _reply(self, arrays: Mapping[str, Array]) -> int | None:
        condition = int(arrays["blstats"][nethack.NLE_BL_CONDITION])
        self._map.afloat = bool(condition & nethack.BL_MASK_LEV)
        message = bytes(arrays["message"]).split(b"\0")[0].decode("latin-1")
        if not (arrays["internal"][1] or arrays["internal"][2] or arrays["internal"][3]):
            if self._testing is not None:
                self._makes_cold[self._testing] = "cools" in message or "freez" in message
                self._testing = None
            return None
        if "In what direction" in message:
            return self._kick if self._kick is not None else self._toward
        if "[rl]" in message or "Right or Left" in message:
            return self._action_of[ord("r")]
        if "[yn" in message:  # "Improvise?", "Really attack?": y is the key for northwest too
            return self._action_of[ord("y")]
        if "What do you want to" in message:
            letter = self._letter(arrays, self._use)
            if letter in self._action_of:
                return self._action_of[letter]
        return self._can("cancel") or 0  # a move is no answer, and cancels too

    def _letter(self, arrays: Mapping[str, Array], glyph: int) -> int:
        places = np.flatnonzero(arrays["inv_glyphs"] == glyph)
        return int(arrays["inv_letters"][places[0]]) if len(places) else -1

    def _held(self, arrays: Mapping[str, Array]) -> list[int]:
        """Returns glyphs of what is carried and may be used: wands, horns, what was picked up."""
        useful = set(self._picked_up)
        if self._carries:
            useful.update(arrays["inv_glyphs"][arrays["inv_letters"] == ord("f")].tolist())
        return [
            g
            for g in dict.fromkeys(arrays["inv_glyphs"].tolist())
            if (_use_of(g) in ("zap", "apply") or g in useful) and self._spent.get(g, 0) < 12
        ]

    def _cold(self, arrays: Mapping[str, Array]) -> int | None:
        held = self._held(arrays)
        known = [g for g in held if g == FROST_HORN or self._makes_cold.get(g)]
        unknown = [g for g in held if _use_of(g) == "zap" and g not in self._makes_cold]
        if self._hard and len(unknown) < 2 and False not in self._makes_cold.values():
            unknown = []  # a wand alone is that of death
        return next(iter((*known, *unknown)), None)

    def _death(self, arrays: Mapping[str, Array]) -> int | None:
        wands = [g for g in self._held(arrays) if _use_of(g) == "zap"]
        if self._only_death:
            return next(iter(wands), None)
        if not self._hard or (len(wands) > 1 and not self._makes_cold):
            return None
        return next((g for g in wands if not self._makes_cold.get(g)), None)

    def _begin_to_use(self, glyph: int) -> int:
        action = _use_of(glyph)
        assert action is not None
        self._use = glyph
        self._kick = None
        self._spent[glyph] = self._spent.get(glyph, 0) + 1
        return self._actions.index(action)

    def _take(self, arrays: Mapping[str, Array]) -> int | None:
        here, pick = self._map, self._can("pick up")
        if here.afloat or pick is None:
            return None
        cells = {
            (int(y), int(x))
            for y, x in np.argwhere(THING_OF_GLYPH[here.glyphs] > 0)
            if _use_of(int(here.glyphs[y, x])) is not None
        }
        way = here.path((cells - self._tried).__contains__)
        if way is None:
            return None
        if way:
            return way[0][0]
        self._tried.add(here.hero)
        self._picked_up.add(int(here.glyphs[here.hero]))
        return pick

    def _monsters(self, arrays: Mapping[str, Array], far: int) -> list[tuple[int, int, int]]:
        """Returns (steps, direction, level) of monsters in open lines; the nearest first.

        Args:
            arrays: the observation.
            far: steps to look, in each of the eight directions.
        """
        y, x = self._map.hero
        monsters = []
        for move, (dy, dx) in enumerate(MOVES):
            for n in range(1, far + 1):
                i, j = y + n * dy, x + n * dx
                if not (0 <= i < ROWS and 0 <= j < COLUMNS):
                    break
                glyph = int(arrays["glyphs"][i, j])
                if nethack.glyph_is_normal_monster(glyph):
                    level = nethack.permonst(nethack.glyph_to_mon(glyph)).mlevel
                    monsters.append((n, move, int(level)))
                    break
                if not self._map.walkable((i, j)) and THING_OF_GLYPH[glyph] != THING["lava"]:
                    break
        return sorted(monsters)

    def _kill(self, arrays: Mapping[str, Array]) -> int | None:
        """Zaps death at a strong monster, as soon as a ray must reach it; None where none is."""
        death = self._death(arrays)
        if death is None:
            return None
        for _, move, level in self._monsters(arrays, RAY):
            if level >= STRONG:
                self._toward = move
                return self._begin_to_use(death)
        return None

    def _fight(self, arrays: Mapping[str, Array]) -> int | None:
        beside = self._monsters(arrays, 1)
        return beside[0][1] if beside and self._rng.random() < 0.9 else None

    def _float(self, arrays: Mapping[str, Array]) -> int | None:
        held = [g for g in self._held(arrays) if _use_of(g) not in ("zap", "apply")]
        if held and self._only_floats:
            return self._begin_to_use(held[0])
        way = self._to_bank() if held and not self._map.afloat else None
        if way is None:
            return None
        return way[0][0] if way else self._begin_to_use(held[0])

    def _freeze(self, arrays: Mapping[str, Array]) -> int | None:
        glyph = self._cold(arrays)
        way = self._to_bank() if glyph is not None and not self._map.afloat else None
        if way is None:
            return None
        if way:
            return way[0][0]
        across = self._across(self._map.hero)
        assert across is not None
        assert glyph is not None
        self._toward = across[1]
        if _use_of(glyph) == "zap" and glyph not in self._makes_cold:
            self._testing = glyph
        return self._begin_to_use(glyph)

    def _to_bank(self) -> list[tuple[int, Cell]] | None:
        """Returns the way to where the lava ahead is narrowest; the nearest of such places."""
        here = self._map
        banks: dict[Cell, int] = {}
        for y, x in here.find("lava"):
            for dy, dx in MOVES[:4]:
                cell = (y - dy, x - dx)
                if here.walkable(cell) and (across := self._across(cell)) is not None:
                    banks[cell] = across[0]
        for width in sorted(set(banks.values())):
            places = {cell for cell, narrowest in banks.items() if narrowest == width}
            way = here.path(places.__contains__)
            if way is not None:
                return way
        return None

    def _across(self, cell: Cell) -> tuple[int, int] | None:
        """Returns how many cells of lava lie ahead and in which direction; None if uncrossable."""
        here, best = self._map, None
        for move, (dy, dx) in enumerate(MOVES[:4]):
            y, x, width = cell[0] + dy, cell[1] + dx, 0
            while (
                0 <= y < ROWS
                and 0 <= x < COLUMNS
                and THING_OF_GLYPH[here.glyphs[y, x]] == THING["lava"]
            ):
                y, x, width = y + dy, x + dx, width + 1
            if not width or not (0 <= y < ROWS and 0 <= x < COLUMNS):
                continue
            ground = here.walkable((y, x)) or here.glyphs[y, x] == STONE
            if ground and (best is None or width < best[0]):
                best = (width, move)
        return best
