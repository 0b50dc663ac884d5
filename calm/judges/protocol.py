"""What a judge is: text in, judgements out, sync or async.

Kinds (`calm.judges.make_judge` builds one from its spec):
`local:MODEL` a model on this machine · `openai:MODEL` any OpenAI-compatible endpoint ·
`rules` written rules over the same text · `replay` only what a store holds ·
`always-yes`, `always-no`, `random` the trivial annotators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from calm.records import Judgement, Mode, Subgoal, Task, Transition


@runtime_checkable
class Judge(Protocol):
    """Says, for each transition, which of the subgoals it achieved.

    A judge reads `transition.texts[self.mode]` and nothing else of the game.
    """

    @property
    def name(self) -> str:
        """The spec that builds it again, e.g. `openai:gpt-5-mini`."""

    @property
    def mode(self) -> Mode:
        """Which description it reads."""

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """One judgement for each transition, in the same order."""

    async def ajudge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """The same, for callers that run an event loop."""


class Immediate:
    """Gives a judge whose answers need no waiting its async form: `ajudge` calls `judge`."""

    async def ajudge(
        self: _Immediate, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns what `judge` returns."""
        return self.judge(task, subgoals, transitions)


class _Immediate(Protocol):
    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]: ...
