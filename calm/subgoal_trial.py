"""Tries subgoals on played transitions, before anybody is paid for them: no truth is needed.

A subgoal that no step can be seen to achieve pays nothing, and one that every step achieves pays
for anything; neither says so by itself. What a judge answers about steps that were played shows
both, and which subgoals are one and the same, and which an episode can do without.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from calm.records import Judgement, Subgoal, Transition


@dataclass(frozen=True)
class SubgoalTrial:
    """What became of a list of subgoals on N played transitions."""

    subgoals: tuple[Subgoal, ...]
    transitions: int
    readable: int
    """Transitions whose answer could be read."""
    confirmed: dict[str, int]
    """By subgoal: transitions that achieved it, as the judge says."""
    together: tuple[tuple[str, str], ...]
    """Pairs that were achieved by exactly the same transitions, at least one."""
    dispensable: dict[str, int]
    """By subgoal that some transition achieved: successful episodes in which none did."""
    succeeded: int
    """Episodes that reached the goal."""

    @property
    def never(self) -> list[str]:
        """Returns the subgoals that no transition achieved."""
        return [name for name, n in self.confirmed.items() if n == 0 and self.readable]

    @property
    def always(self) -> list[str]:
        """Returns the subgoals that every transition achieved."""
        return [name for name, n in self.confirmed.items() if n == self.readable > 1]

    @property
    def warnings(self) -> list[str]:
        """Returns what is wrong with the list, a sentence each; none where nothing is."""
        on = f"{self.readable} played transitions"
        lines = [
            f"“{name}” was never confirmed on {on}: it will pay nothing" for name in self.never
        ]
        lines += [
            f"“{name}” was confirmed on all {on}: it will pay for anything" for name in self.always
        ]
        lines += [f"“{a}” and “{b}” were confirmed together every time" for a, b in self.together]
        lines += [
            f"“{name}” was not confirmed in any of {self.succeeded} episodes that succeeded"
            for name, n in self.dispensable.items()
            if n == self.succeeded > 0
        ]
        if self.transitions and not self.readable:
            lines.append(f"no answer about {self.transitions} played transitions could be read")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, for `--json`."""
        return {
            "transitions": self.transitions,
            "readable": self.readable,
            "confirmed": self.confirmed,
            "together": [list(pair) for pair in self.together],
            "episodes_succeeded": self.succeeded,
            "warnings": self.warnings,
        }


def try_subgoals(
    subgoals: Sequence[Subgoal],
    transitions: Sequence[Transition],
    judgements: Sequence[Judgement],
    succeeded: Collection[str] = (),
) -> SubgoalTrial:
    """Returns what became of subgoals on transitions that a judge was asked about.

    Args:
        transitions: (N,) as they were played; their episodes are told apart.
        judgements: (N,) about the subgoals.
        succeeded: episodes that reached the task's goal.
    """
    pairs = [(t, j) for t, j in zip(transitions, judgements, strict=True) if j.verdict.readable]
    names = [s.name for s in subgoals]
    steps = {name: {i for i, (_, j) in enumerate(pairs) if j.achieved.get(name)} for name in names}
    episodes = {name: {pairs[i][0].episode for i in steps[name]} for name in names}
    reached = {t.episode for t, _ in pairs} & set(succeeded)
    together = tuple(
        (a, b)
        for at, a in enumerate(names)
        for b in names[at + 1 :]
        if steps[a] and steps[a] == steps[b]
    )
    return SubgoalTrial(
        tuple(subgoals),
        len(transitions),
        len(pairs),
        {name: len(steps[name]) for name in names},
        together,
        {name: len(reached - episodes[name]) for name in names if steps[name]},
        len(reached),
    )
