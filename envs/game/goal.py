"""Says when a step reaches its task's goal and what the step pays, by MiniHack's own rules.

Three kinds of rule stand behind MiniHack's tasks: the staircase down wins; a reward manager looks
for conditions after every step; or something has to be gone, and pays for each one that is: in
Sokoban the pits, before the stairs win, in Boxoban fountains without a boulder, which wins at once.
`envs/native/goal.c` says the same in C. Rewritten from what minihack 1.0.2 does (minihack/base.py,
reward_manager.py, envs/exploremaze.py, envs/sokoban.py, envs/boxohack.py).

Where we differ, on purpose: a deed counts within its episode. MiniHack looks at the first
observation of an episode with the last action of the one before, so that "pray", pressed as time
ran out, is begun already where the next hero starts on an altar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.game.conditions import Condition
from envs.game.rules import Rules

RUNNING, WON, LOST, DIED, ABORTED = 0, 2, 3, 1, -1
"""How a game stands after a step: MiniHack's own `StepStatus`, whose ABORTED is the time limit; but
LOST where MiniHack calls an end successful and pays less than nothing for it, as Memento does."""

_YES, _NO_KEY = ord("y"), 0


class Goal:
    """Follows one game: whether a step reaches the goal, and what it pays.

    Args:
        rules: of the task.
        rows: by nle key, the game's arrays, which hold what a step led to.
    """

    def __init__(self, rules: Rules, rows: Mapping[str, npt.NDArray[Any]]) -> None:
        self._rules = rules
        self._rows = rows
        self._internal = rows["internal"].data

    def begin(self) -> None:
        """Starts an episode; MiniHack looks for its conditions in the first observation too."""
        self._achieved: set[int] = set()
        self._begun: set[int] = set()
        self._earned = 0.0
        if self._rules.covered_by:
            self._to_cover = self._rows["chars"] == ord(self._rules.to_be_gone)
        self._left = self._count()
        self.reached(_NO_KEY)

    def reached(self, key: int) -> bool:
        """Returns whether the goal is reached by a step whose action is this key."""
        on_stairs = bool(self._internal[4])
        if self._rules.conditions:
            return self._meets_conditions(key) or on_stairs
        left = self._count()
        self._gone, self._left = self._left - left, left
        return not left and (on_stairs or bool(self._rules.covered_by))

    def reward(self, status: int) -> float:
        """Returns what the step pays that was looked at last and ended so."""
        rules = self._rules
        if rules.conditions:
            earned, self._earned = self._earned, 0.0
            return earned
        if status == RUNNING:
            return rules.reward_step + self._gone * rules.reward_gone
        return rules.reward_win if status == WON else rules.reward_lose

    def _count(self) -> int:
        """Returns how much of what has to be gone is left."""
        rules = self._rules
        if not rules.to_be_gone:
            return 0
        chars = self._rows["chars"]
        if rules.covered_by:
            return int(np.count_nonzero(self._to_cover & (chars != ord(rules.covered_by))))
        return int(np.count_nonzero(chars == ord(rules.to_be_gone)))

    def _meets_conditions(self, key: int) -> bool:
        """Looks for all conditions; returns whether those that the goal takes are achieved."""
        conditions = self._rules.conditions
        for i, condition in enumerate(conditions):
            if i not in self._achieved and self._holds(i, condition, key):
                self._earned += condition.reward
                if not condition.repeatable:
                    self._achieved.add(i)
        return any(conditions[i].sufficient for i in self._achieved) or all(
            i in self._achieved for i, condition in enumerate(conditions) if condition.required
        )

    def _holds(self, i: int, condition: Condition, key: int) -> bool:
        """Returns whether condition number i holds after a step whose action is this key."""
        if condition.kind == "stairs":
            return bool(self._internal[4])
        if condition.kind == "message":
            message = self._rows["message"].tobytes()
            return any(text in message for text in condition.texts)
        if key == condition.key and not (self._rows["glyphs"] == condition.place).any():
            self._begun.add(i)
            return False
        if key != _YES:
            self._begun.discard(i)
        return i in self._begun
