"""Computes from the engine's own state which given subgoals a step really achieved.

Written apart from the descriptions, and by other means (whole maps compared, inventory counted,
the engine's flag for the stairs), so that a comparison of the two is worth something. Truth labels
data and is the upper baseline of training; it is never shown to a judge.

A subgoal of getting somewhere is achieved by the step that makes its condition true: the nearest
such thing within so many moves (Chebyshev) and, where it says so, the key in the inventory; before
the step that was not so. A key in the inventory counts as near.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import unknown
from calm.records import Subgoal
from envs.game.actions import DIRECTIONS, MOVES, english
from envs.game.glyphs import (
    BOULDER,
    CLOSED_DOORS,
    CORRIDORS,
    DOORWAY,
    FOUNTAIN,
    HORNS,
    ICE,
    LAVA,
    NO_GLYPH,
    OPEN_DOORS,
    ROOM_FLOORS,
    SKELETON_KEY,
    STAIRCASE_DOWN,
    WANDS,
    WATERS,
    monster_glyph,
)
from envs.observer import Actions, Arrays, Bools, Rows, names_of_actions
from envs.subgoals import APPROACHES, KILLS, Approach
from envs.tasks import task
from envs.truth.followers import FOLLOWERS

Array = npt.NDArray[Any]
Deed = Callable[["TruthStream"], Bools]
"""Returns whether the last step of each environment did a deed, (B,)."""

_BARE = (*ROOM_FLOORS, *CORRIDORS, DOORWAY, ICE)
"""Ground that anyone can walk on."""

_GLYPHS: dict[str, tuple[int, ...]] = {
    "key": (SKELETON_KEY,),
    "closed door": CLOSED_DOORS,
    "staircase down": (STAIRCASE_DOWN,),
    "boulder": (BOULDER,),
    "lava": (LAVA,),
    "monster": tuple(
        glyph
        for glyph in range(nethack.MAX_GLYPH)
        if nethack.glyph_is_monster(glyph)
        or nethack.glyph_is_invisible(glyph)
        or nethack.glyph_is_warning(glyph)
    ),
}
"""The glyphs of each kind of thing that can be approached."""
_TAKEN_PLACES = ("boulder", "monster")
"""Kinds that are not under the hero where it has come to stand in their place."""
_FAR = 1000
"""More moves than any map is wide: no such thing is in view."""


_DIRECTIONS = {english(move): DIRECTIONS[move.name][::-1] for move in MOVES}
"""(dx, dy) by English action."""


class TruthStream:
    """Observes the truth of every step of a batch.

    An observer: append it to `batch.observers` before `batch.reset()`.

    Args:
        task_id: names the actions.
        subgoals: given ones, by default the task's own.
        batch: has `arrays` with the keys in `TruthStream.keys`.
        actions: English names of the batch's actions, where they aren't the task's own.

    Raises:
        UsageError: a subgoal whose truth is not known, or names that don't fit the actions.
    """

    keys: tuple[str, ...] = ("glyphs", "blstats", "inv_glyphs", "internal")

    def __init__(
        self,
        task_id: str,
        subgoals: Sequence[Subgoal] | None,
        batch: Arrays,
        actions: tuple[str, ...] | None = None,
    ) -> None:
        self.subgoals = tuple(task(task_id).subgoals if subgoals is None else subgoals)
        check_known(self.subgoals)
        self._arrays = batch.arrays
        n = len(batch.arrays["blstats"])
        self.achieved: npt.NDArray[np.int8] = np.zeros((n, len(self.subgoals)), np.int8)
        """(B, G) 1 where the last step achieved the subgoal, else 0."""
        names = names_of_actions(task_id, batch, actions)
        self._directions = np.array([_DIRECTIONS.get(name, (0, 0)) for name in names])
        self._rows = np.arange(n)
        approaches = [APPROACHES[s.name] for s in self.subgoals if s.name in APPROACHES]
        self._things = tuple(dict.fromkeys(a.thing for a in approaches))
        self._followers = {
            s.name: FOLLOWERS[s.name](n) for s in self.subgoals if s.name in FOLLOWERS
        }
        # State before the step.
        self.glyphs: Array = np.zeros((n, *batch.arrays["glyphs"].shape[1:]), np.int16)
        self.inventory: Array = np.full((n, 55), NO_GLYPH, np.int16)
        self.blstats: Array = np.zeros((n, nethack.NLE_BLSTATS_SIZE), np.int64)
        self.on_stairs: Bools = np.zeros(n, np.bool_)
        self._covers: dict[str, Bools] = {t: np.zeros(n, np.bool_) for t in self._things}
        self._distances: dict[str, Array] = {t: np.full(n, _FAR) for t in self._things}
        self.ground: Array = np.zeros(n, np.int8)
        # What the step was, for the deeds.
        self.direction: Array = np.zeros((n, 2), np.int64)
        self.alive: Bools = np.ones(n, np.bool_)
        self.terminated: Bools = np.zeros(n, np.bool_)
        self.ground_before: Array = np.zeros(n, np.int8)

    @property
    def now(self) -> Mapping[str, Array]:
        """The arrays of s' by key, (B, ...)."""
        return self._arrays

    @property
    def ahead(self) -> tuple[Array, Array]:
        """The glyphs before and after the step of the cell ahead of the hero, (B,) each."""
        dx, dy = self.direction.T
        x = (self.now["blstats"][:, 0] + dx).clip(0, 78)
        y = (self.now["blstats"][:, 1] + dy).clip(0, 20)
        return self.glyphs[self._rows, y, x], self.now["glyphs"][self._rows, y, x]

    def on_reset(self, rows: Rows) -> None:
        for thing in self._things:
            self._covers[thing][rows] = False
        self._remember(rows)
        x, y = self.blstats[rows, 0], self.blstats[rows, 1]
        # The hero hides the ground it starts on; it is taken to be what lies around.
        around = [
            self.glyphs[rows, (y + dy).clip(0, 20), (x + dx).clip(0, 78)]
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        ]
        corridor = np.isin(around, CORRIDORS).any(0) & ~np.isin(around, ROOM_FLOORS).any(0)
        self.ground[rows] = np.where(corridor, 2, 1)
        for thing in self._things:
            self._distances[thing][rows] = self._distance(thing)[rows]
        for follower in self._followers.values():
            follower.begin(rows, self._arrays["glyphs"], self._arrays["blstats"])

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        del truncated
        now = self._arrays
        self.terminated = terminated
        self.direction = self._directions[actions]
        self.alive = ~terminated | (now["blstats"][:, nethack.NLE_BL_HP] > 0)
        x, y = now["blstats"][:, 0], now["blstats"][:, 1]
        moved = (x != self.blstats[:, 0]) | (y != self.blstats[:, 1])
        glyphs = self.glyphs[self._rows, y, x]  # before the hero came
        self.ground_before = self.ground.copy()
        for number, kinds in ((1, ROOM_FLOORS), (2, CORRIDORS), (3, (DOORWAY, *OPEN_DOORS))):
            self.ground[moved & _among(glyphs, kinds)] = number

        distances: dict[str, Array] = {}
        held = _count(now["inv_glyphs"], (SKELETON_KEY,)) > 0
        held_before = _count(self.inventory, (SKELETON_KEY,)) > 0
        for thing in self._things:
            covers = np.where(
                moved,
                _among(glyphs, _GLYPHS[thing]) & (thing not in _TAKEN_PLACES),
                self._covers[thing],
            )
            if thing == "key":
                covers = (covers | (held_before & ~held)) & ~held
            self._covers[thing] = covers
            distances[thing] = self._distance(thing)
        for column, subgoal in enumerate(self.subgoals):
            approach = APPROACHES.get(subgoal.name)
            if subgoal.name in self._followers:
                yes = self._followers[subgoal.name].step(now["glyphs"], now["blstats"])
            elif approach is None:
                yes = _DEEDS[subgoal.name](self)
            else:
                yes = _near(approach, distances[approach.thing], held) & ~_near(
                    approach, self._distances[approach.thing], held_before
                )
            self.achieved[:, column] = yes & self.alive
        self._distances = distances
        self._remember(self._rows)

    def _remember(self, rows: Rows) -> None:
        """Keeps the present state of some rows as the state before their next step."""
        self.glyphs[rows] = self._arrays["glyphs"][rows]
        self.inventory[rows] = self._arrays["inv_glyphs"][rows]
        self.blstats[rows] = self._arrays["blstats"][rows]
        self.on_stairs[rows] = self._arrays["internal"][rows, 4] != 0

    def _distance(self, thing: str) -> Array:
        """Returns moves to the nearest thing on the map or under the hero, (B,); `_FAR`: none."""
        glyphs = self._arrays["glyphs"]
        blstats = self._arrays["blstats"]
        nearest = np.where(self._covers[thing], 0, _FAR)
        # numpy finds the true cells of a flat array many times faster than of three axes.
        env, cell = np.divmod(np.flatnonzero(_among(glyphs, _GLYPHS[thing])), glyphs[0].size)
        y, x = np.divmod(cell, glyphs.shape[2])
        away = np.maximum(np.abs(x - blstats[env, 0]), np.abs(y - blstats[env, 1]))
        if thing == "monster":
            away[away == 0] = _FAR  # the hero itself
        np.minimum.at(nearest, env, away)
        return nearest


def _among(glyphs: Array, kinds: tuple[int, ...]) -> Bools:
    """Returns which glyphs are of some kinds; the same shape."""
    members: Bools
    if len(kinds) > 50:
        members = np.isin(glyphs, kinds)
        return members
    members = glyphs == kinds[0]
    for kind in kinds[1:]:
        members = members | (glyphs == kind)
    return members


def _count(inventory: Array, kinds: tuple[int, ...]) -> Array:
    """Returns how many objects of some kinds an inventory (B, 55) holds, (B,)."""
    return np.asarray(_among(inventory, kinds).sum(1))


def _near(approach: Approach, distance: Array, with_key: Bools) -> Bools:
    """Returns where an approach's condition holds, (B,), by distances and who has the key."""
    limit = _FAR - 1 if approach.steps is None else approach.steps
    near: Bools = distance <= limit
    if approach.thing == "key":
        near = near | with_key
    if approach.carrying == "key":
        near = near & with_key
    return near


def _gained(kinds: tuple[int, ...]) -> Deed:
    """Returns the deed of getting more objects of some kinds than before."""

    def deed(t: TruthStream) -> Bools:
        return np.asarray(_count(t.now["inv_glyphs"], kinds) > _count(t.inventory, kinds))

    return deed


def _gained_any(t: TruthStream) -> Bools:
    """Returns where an object of any kind has entered the inventory, (B,)."""
    before, after = np.sort(t.inventory, 1), np.sort(t.now["inv_glyphs"], 1)
    yes = np.zeros(len(before), np.bool_)
    for row in np.flatnonzero((before != after).any(1)):
        kinds = set(after[row].tolist()) - {NO_GLYPH}
        yes[row] = any((after[row] == k).sum() > (before[row] == k).sum() for k in kinds)
    return yes


def _turned(before: tuple[int, ...], after: tuple[int, ...]) -> Deed:
    """Returns the deed of turning a cell of one kind into one of another."""

    def deed(t: TruthStream) -> Bools:
        return np.asarray(
            (_among(t.glyphs, before) & _among(t.now["glyphs"], after)).any(axis=(1, 2))
        )

    return deed


def _stepped_into(ground: int) -> Deed:
    """Returns the deed of stepping from other ground onto this one."""

    def deed(t: TruthStream) -> Bools:
        return np.asarray((t.ground == ground) & (t.ground_before != ground))

    return deed


def _pushed(t: TruthStream) -> Bools:
    """Returns where the hero has come to stand where a boulder was, (B,)."""
    x, y = t.now["blstats"][:, 0], t.now["blstats"][:, 1]
    moved = (x != t.blstats[:, 0]) | (y != t.blstats[:, 1])
    return np.asarray(moved & (t.glyphs[t._rows, y, x] == BOULDER))


def _filled(t: TruthStream) -> Bools:
    """Returns where a pushed boulder has turned the liquid before it into ground, (B,)."""
    before, after = t.ahead
    return _pushed(t) & _among(before, (*WATERS, LAVA)) & _among(after, _BARE)


def _onto_fountain(t: TruthStream) -> Bools:
    """Returns where a pushed boulder covers the fountain that was before it, (B,)."""
    before, after = t.ahead
    return _pushed(t) & _among(before, (FOUNTAIN,)) & _among(after, (BOULDER,))


def _reached(t: TruthStream) -> Bools:
    """Returns where the hero has come onto the stairs and the episode ended, (B,)."""
    on_stairs = t.now["internal"][:, 4] != 0
    return np.asarray(on_stairs & ~t.on_stairs & t.terminated)


def _floats(t: TruthStream) -> Bools:
    """Returns where the hero has begun to levitate, (B,)."""
    bit = nethack.BL_MASK_LEV
    column = nethack.NLE_BL_CONDITION
    return np.asarray(
        ((t.now["blstats"][:, column] & bit) != 0) & ((t.blstats[:, column] & bit) == 0)
    )


def _killed(t: TruthStream) -> Bools:
    """Returns where the experience points have risen, (B,), as they do with a kill."""
    column = nethack.NLE_BL_EXP
    return np.asarray(t.now["blstats"][:, column] > t.blstats[:, column])


def _killed_one(kind: str) -> Deed:
    """Returns the deed of killing a monster of a kind, such as "giant rat", that was in view.

    It is told by what experience it brings: at least 1 and the square of its level, which may be
    one less than that of its kind; or less, where the hero rises a level, since no kill brings more
    than one (NetHack's exper.c and makemon.c).
    """
    glyph = monster_glyph(kind)
    level = max(nethack.permonst(glyph - nethack.GLYPH_MON_OFF).mlevel - 1, 0)

    def deed(t: TruthStream) -> Bools:
        risen = t.now["blstats"] - t.blstats
        enough = (risen[:, nethack.NLE_BL_EXP] >= 1 + level**2) | (risen[:, nethack.NLE_BL_XP] > 0)
        return np.asarray(enough & (t.glyphs == glyph).any((1, 2)))

    return deed


_DEEDS: dict[str, Deed] = {
    "pick up the key": _gained((SKELETON_KEY,)),
    "open the locked door": _turned(CLOSED_DOORS, (*OPEN_DOORS, *_BARE)),
    "open a door": _turned(CLOSED_DOORS, (*OPEN_DOORS, *_BARE)),
    "reach the staircase down": _reached,
    "step into a doorway": _stepped_into(3),
    "step into a corridor": _stepped_into(2),
    "step into a room": _stepped_into(1),
    "push a boulder": _pushed,
    "fill water or lava with a boulder": _filled,
    "push a boulder onto a fountain": _onto_fountain,
    "pick up a wand": _gained(WANDS),
    "pick up a horn": _gained(HORNS),
    "pick up an object": _gained_any,
    "turn lava into solid ground": _turned((LAVA,), _BARE),
    "float in the air": _floats,
    "kill a monster": _killed,
    **{name: _killed_one(kind) for name, kind in KILLS.items()},
}

_ALL = frozenset((*APPROACHES, *_DEEDS, *FOLLOWERS))
"""Names of the subgoals whose truth is known."""


def check_known(subgoals: Sequence[Subgoal]) -> None:
    """Checks that the truth of all these subgoals is known.

    Raises:
        UsageError: names the first of which it is not.
    """
    for subgoal in subgoals:
        if subgoal.name not in _ALL:
            raise unknown("subgoal with a truth", subgoal.name, _ALL)
