"""Plays the rooms of `envs.tasks.skills` by a script."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from envs.game.actions import BY_NAME, DIRECTIONS, MOVES, english
from envs.game.glyphs import HORNS
from envs.players.player import KEYS, Array
from envs.tasks.skills import BOLT, Skill, glyphs_of

_MOVES = {DIRECTIONS[move.name]: english(move) for move in MOVES}
_YES = {"pray": "Are you sure you want to pray", "quaff": "Drink from the sink"}
"""By verb, the question to which the deed is to say yes."""


class SkillPlayer:
    """Goes to the thing and does the deed.

    Args:
        skill: the task.
        sloppy: the chance, in [0, 1], that an action is drawn evenly instead.
    """

    keys = KEYS

    def __init__(self, skill: Skill, sloppy: float = 0.0) -> None:
        self.name = "scripted" if sloppy == 0 else "random" if sloppy == 1 else "sloppy-scripted"
        self._skill, self._sloppy = skill, sloppy
        self._shoots = skill.task.subgoals[1] == BOLT
        self._glyphs = glyphs_of(skill.thing)
        self._index = {name: i for i, name in enumerate(skill.task.actions)}
        self._key = {int(BY_NAME[name]): i for name, i in self._index.items()}
        self.begin(np.random.default_rng(0))

    def begin(self, rng: np.random.Generator) -> None:
        """Starts a new episode; all chance in it comes from `rng`."""
        self._rng = rng
        self._place: tuple[int, int] | None = None

    def act(self, arrays: Mapping[str, Array]) -> int:
        """Returns the index of the next action, from one environment's arrays."""
        if self._sloppy and self._rng.random() < self._sloppy:
            return int(self._rng.integers(len(self._key)))
        message = bytes(arrays["message"]).split(b"\0")[0].decode("latin-1")
        holding = np.flatnonzero(np.isin(arrays["inv_glyphs"], self._glyphs))
        if arrays["internal"][1] or arrays["internal"][2]:
            return self._answer(message, arrays, holding)
        cells = np.argwhere(np.isin(arrays["glyphs"], self._glyphs))
        if len(cells):
            self._place = (int(cells[0][0]), int(cells[0][1]))
        if len(holding) and self._skill.taken:
            horn = int(arrays["inv_glyphs"][holding[0]]) in HORNS
            return self._index["apply" if horn else self._skill.verb]
        x, y = (int(v) for v in arrays["blstats"][:2])
        if self._place is None:
            return int(self._rng.integers(8))
        if (y, x) == self._place:
            return self._index["pick up" if self._skill.taken else self._skill.verb]
        step = (int(np.sign(self._place[0] - y)), int(np.sign(self._place[1] - x)))
        return self._index[_MOVES[step]]

    def _answer(self, message: str, arrays: Mapping[str, Array], holding: Array) -> int:
        """Returns the action that answers a question: yes to the thing, its letter, or cancel."""
        if f"{self._skill.thing} here" in message and "ynq" in message:
            return self._key[ord("y")]
        if message.startswith(_YES.get(self._skill.verb, "\n")):
            return self._key[ord("y")]
        if self._shoots and message.startswith("Improvise"):
            return self._key[ord("y")]
        if self._shoots and message.startswith("In what direction"):
            return self._index["move east"]
        if message.startswith("What do you want to") and len(holding):
            letter = int(arrays["inv_letters"][holding[0]])
            if letter in self._key:
                return self._key[letter]
        return self._index.get("cancel", 0)  # a move is no answer, and cancels too
