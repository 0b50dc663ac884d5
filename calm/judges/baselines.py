"""Baseline judges that ignore the text: always yes, always no, random.

Their scores are the floor for any other judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from calm.errors import UsageError
from calm.judges.protocol import Immediate
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict


class Always(Immediate):
    """Gives the same answer about every transition: `always-yes`, `always-no`."""

    def __init__(self, answer: bool, mode: Mode = "events") -> None:
        self.answer = answer
        self.mode: Mode = mode
        self.name = "always-yes" if answer else "always-no"

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""
        answer = Judgement(Verdict.OK, dict.fromkeys((s.name for s in subgoals), self.answer))
        return [answer] * len(transitions)


class Random(Immediate):
    """Says yes with probability `p`, drawn anew for each transition and subgoal.

    The draw is a hash of the seed, the transition's id and the subgoal's name, so neither order nor
    repetition matters. Transitions that a set tells apart (by their screens) are drawn apart even
    where their events read the same; in training, where a question is its text alone, equal texts
    share a draw.
    """

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
        """Returns one judgement for each transition, in the same order."""
        names = [s.name for s in subgoals]
        ids = [t.id for t in transitions]
        return [
            Judgement(Verdict.OK, {name: self._draw(id, name) < self.p for name in names})
            for id in ids
        ]

    def _draw(self, id: str, subgoal: str) -> float:
        """Returns a number uniform in [0, 1)."""
        content = f"{self.seed}\n{subgoal}\n{id}".encode("utf-8", "replace")
        return int.from_bytes(hashlib.sha256(content).digest()[:7], "big") / 2**56
