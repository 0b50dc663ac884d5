"""Four of MiniHack's skill tasks, for the labelled set: eat, wear, wield, zap.

They are small rooms with one thing in them. Their deeds are of another kind than those of the
navigation tasks, so judges are measured on them too; nobody trains on them here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.records import Subgoal, Task
from envs.game.actions import SKILLS as ACTIONS
from envs.game.actions import english
from envs.game.engine import WON
from envs.stepping.batch import Batch

Array = npt.NDArray[Any]

_MOVES = {
    (-1, 0): "move north", (0, 1): "move east", (1, 0): "move south", (0, -1): "move west",
    (-1, 1): "move northeast", (1, 1): "move southeast",
    (1, -1): "move southwest", (-1, -1): "move northwest",
}  # fmt: skip
_LEGEND = """.  floor
@  the hero
%  food
[  armor
)  weapon
/  wand"""


@dataclass(frozen=True, slots=True)
class Skill:
    """A task of one thing and one deed."""

    task: Task
    thing: str
    """As NetHack names the kind of object."""
    verb: str
    """English name of the action that does the deed."""
    taken: bool
    """Whether the thing must be in the inventory first."""


def _skill(id: str, thing: str, a_thing: str, verb: str, deed: str, taken: bool) -> Skill:
    get = (
        Subgoal(f"pick up the {thing}", f"{a_thing} enters the hero's inventory.")
        if taken
        else Subgoal(
            f"step onto the {thing}",
            f"The hero comes to stand where {a_thing.lower()} lies; before, it stood elsewhere.",
        )
    )
    return Skill(
        Task(
            id=f"MiniHack-{id}-v0",
            goal=f"{verb.capitalize()} the {thing} that lies in the room.",
            subgoals=(get, Subgoal(f"{verb} the {thing}", deed)),
            actions=tuple(english(a) for a in ACTIONS),
            legend=_LEGEND,
        ),
        thing,
        verb,
        taken,
    )


SKILLS: dict[str, Skill] = {
    s.task.id: s
    for s in (
        _skill("Eat", "apple", "An apple", "eat", "The hero finishes eating the apple.", False),
        _skill("Wear", "robe", "A robe", "wear", "The hero is now wearing the robe.", True),
        _skill("Wield", "dagger", "A dagger", "wield", "The hero now wields the dagger.", True),
        _skill("Zap", "wand", "A wand", "zap", "The wand's magic takes effect.", True),
    )
}
"""By MiniHack's id."""


RULES: Mapping[str, tuple[str, ...]] = {
    "step onto the apple": (r"^The hero came onto an object\b",),
    "pick up the robe": (r"^A piece of armor entered the inventory\.$",),
    "pick up the dagger": (r"^A weapon entered the inventory\.$",),
    "pick up the wand": (r"^A wand entered the inventory\.$",),
    "eat the apple": (r"(?i)core dumped|delicious|rotten food|last bite of your meal",),
    "wear the robe": (r"You are now wearing a robe",),
    "wield the dagger": (r"dagger \(weapon in hand\)",),
    "zap the wand": (r"The feeling subsides",),
}
"""What the `rules` judge looks for; a table of the entry-point group `calm.rules`."""


def glyphs_of(thing: str) -> npt.NDArray[np.int64]:
    """Glyphs of the objects of that name; "wand" is every wand, since they come unidentified."""
    found = []
    for kind in range(nethack.NUM_OBJECTS):
        known = nethack.objclass(kind)
        wand = thing == "wand" and ord(known.oc_class) == nethack.WAND_CLASS
        if wand or nethack.objdescr.from_idx(kind).oc_name == thing:
            found.append(nethack.GLYPH_OBJ_OFF + kind)
    return np.array(found)


class SkillTruth:
    """The truth of every step of a batch of one skill task.

    An observer like `envs.truth.stream.TruthStream`. The deed is the engine's own word: the step
    that
    MiniHack ends as won. Before it, the thing entered the inventory (counted there), or the hero
    came to stand where the map showed it.
    """

    keys: tuple[str, ...] = ("glyphs", "blstats", "inv_glyphs")

    def __init__(self, skill: Skill, batch: Batch) -> None:
        self._skill, self._batch = skill, batch
        self._glyphs = glyphs_of(skill.thing)
        self._before: tuple[Array, Array, Array] | None = None
        self.achieved: npt.NDArray[np.int8] = np.zeros((batch.n_envs, 2), np.int8)
        """(B, 2) of the last step, in the order of the task's subgoals."""

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        now = self._state()
        if self._before is None:
            self._before = now
        for before, current in zip(self._before, now, strict=True):
            before[rows] = current[rows]

    def on_step(
        self,
        actions: npt.NDArray[np.int64],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> None:
        assert self._before is not None, "reset the batch first"
        there, at, held = self._before
        _, now_at, now_held = after = self._state()
        if self._skill.taken:
            got = now_held > held
        else:
            rows = np.arange(len(at))
            got = there[rows, now_at[:, 0], now_at[:, 1]] & (now_at != at).any(1)
        won = self._batch.status == WON
        self.achieved = np.stack([got, won], axis=1).astype(np.int8)
        # A place under the hero shows the hero: what lay there is remembered until seen again.
        hidden = np.zeros_like(there)
        hidden[np.arange(len(at)), now_at[:, 0], now_at[:, 1]] = True
        self._before = (np.where(hidden, there, after[0]), now_at, now_held)

    def _state(self) -> tuple[Array, Array, Array]:
        """Where the thing is seen (B, 21, 79), where the hero is (B, 2), how many it holds (B,)."""
        arrays = self._batch.arrays
        there = np.isin(arrays["glyphs"], self._glyphs)
        at = arrays["blstats"][:, [1, 0]].astype(np.int64)
        held = np.isin(arrays["inv_glyphs"], self._glyphs).sum(1)
        return there, at, held


class SkillPlayer:
    """Goes to the thing and does the deed; with probability `sloppy` it does anything instead."""

    keys = ("glyphs", "blstats", "message", "inv_glyphs", "inv_letters", "internal")

    def __init__(self, skill: Skill, sloppy: float = 0.0) -> None:
        self.name = "scripted" if sloppy == 0 else "random" if sloppy == 1 else "sloppy-scripted"
        self._skill, self._sloppy = skill, sloppy
        self._glyphs = glyphs_of(skill.thing)
        self._index = {name: i for i, name in enumerate(skill.task.actions)}
        self._key = {int(a): i for i, a in enumerate(ACTIONS)}
        self.begin(np.random.default_rng(0))

    def begin(self, rng: np.random.Generator) -> None:
        """A new episode starts; all chance in it comes from `rng`."""
        self._rng = rng
        self._place: tuple[int, int] | None = None

    def act(self, seen: Mapping[str, Array]) -> int:
        """The index of the next action."""
        if self._sloppy and self._rng.random() < self._sloppy:
            return int(self._rng.integers(len(self._key)))
        asked = bytes(seen["message"]).split(b"\0")[0].decode("latin-1")
        holding = np.flatnonzero(np.isin(seen["inv_glyphs"], self._glyphs))
        if seen["internal"][1] or seen["internal"][2]:
            return self._answer(asked, seen, holding)
        cells = np.argwhere(np.isin(seen["glyphs"], self._glyphs))
        if len(cells):
            self._place = (int(cells[0][0]), int(cells[0][1]))
        if len(holding) and self._skill.taken:
            return self._index[self._skill.verb]
        x, y = (int(v) for v in seen["blstats"][:2])
        if self._place is None:
            return int(self._rng.integers(8))
        if (y, x) == self._place:
            return self._index["pick up" if self._skill.taken else self._skill.verb]
        step = (int(np.sign(self._place[0] - y)), int(np.sign(self._place[1] - x)))
        return self._index[_MOVES[step]]

    def _answer(self, asked: str, seen: Mapping[str, Array], holding: Array) -> int:
        """A key for a question: yes to the thing itself, its letter, or ESC."""
        if f"{self._skill.thing} here" in asked and "ynq" in asked:
            return self._key[ord("y")]
        if asked.startswith("What do you want to") and len(holding):
            letter = int(seen["inv_letters"][holding[0]])
            if letter in self._key:
                return self._key[letter]
        return self._index["cancel"]
