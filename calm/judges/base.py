"""The async half of a judge that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from calm.records import Judgement, Subgoal, Task, Transition


class _Sync(Protocol):
    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]: ...


class Immediate:
    """Gives a judge whose answers need no waiting its async form."""

    async def ajudge(
        self: _Sync, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """The same as `judge`."""
        return self.judge(task, subgoals, transitions)
