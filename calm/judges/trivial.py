"""Judges that don't read: what any judge must beat, and what a score of theirs is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from calm.errors import UsageError
from calm.judges.base import Immediate
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict


class Always(Immediate):
    """Says the same of everything: `always-yes`, `always-no`."""

    def __init__(self, answer: bool, mode: Mode = "events") -> None:
        self.answer = answer
        self.mode: Mode = mode
        self.name = "always-yes" if answer else "always-no"

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """One judgement for each transition, in the same order."""
        answer = Judgement(Verdict.OK, dict.fromkeys((s.name for s in subgoals), self.answer))
        return [answer] * len(transitions)


class Random(Immediate):
    """Says yes with probability `p`, the same of the same text for the same seed."""

    def __init__(self, p: float = 0.5, mode: Mode = "events", seed: int = 0) -> None:
        if not 0.0 <= p <= 1.0:
            raise UsageError(f"the random judge's probability must lie in [0, 1], got {p}")
        self.p = p
        self.mode: Mode = mode
        self.seed = seed
        self.name = "random" if p == 0.5 else f"random:{p:g}"

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """One judgement for each transition, in the same order."""
        return [
            Judgement(
                Verdict.OK,
                {s.name: self._draw(t.texts[self.mode], s.name) < self.p for s in subgoals},
            )
            for t in transitions
        ]

    def _draw(self, text: str, subgoal: str) -> float:
        """Uniform in [0, 1), from a hash: the order of questions does not matter."""
        digest = hashlib.sha256(
            f"{self.seed}\n{subgoal}\n{text}".encode("utf-8", "replace")
        ).digest()
        return int.from_bytes(digest[:7], "big") / 2**56
