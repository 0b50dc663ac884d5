"""Judges for tests: what they will answer is given to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calm.records import Judgement, Mode, Subgoal, Task, Transition

Answer = Callable[[Sequence[Subgoal], Transition], Judgement]


@dataclass(frozen=True)
class Scripted:
    """A judge that answers what a function says."""

    name: str
    answer: Answer
    mode: Mode = "events"

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        return [self.answer(subgoals, t) for t in transitions]

    async def ajudge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        return self.judge(task, subgoals, transitions)
