"""The judge that needs no model: written rules over the same text that a model would see.

A subgoal's rules are regular expressions; one that is found in the text (`re.search`, `MULTILINE`)
means that the transition achieved the subgoal. Tables come from the entry-point group `calm.rules`,
each a mapping of a subgoal's name to its patterns, or from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from calm.errors import UsageError
from calm.judges.protocol import Immediate
from calm.plugins import entry_points_of
from calm.records import Judgement, Mode, Subgoal, Task, Transition, Verdict

Rules = Mapping[str, Sequence[str]]
"""Patterns by a subgoal's name; any of them found means yes."""


def installed_rules() -> dict[str, tuple[str, ...]]:
    """Returns the rules of every installed layer; one that can't be imported has none."""
    rules: dict[str, tuple[str, ...]] = {}
    for entry in entry_points_of("calm.rules"):
        try:
            table: Rules = entry.load()
        except ModuleNotFoundError:
            continue
        rules.update({name: tuple(patterns) for name, patterns in table.items()})
    return rules


class RulesJudge(Immediate):
    """Judges by rules.

    Args:
        rules: None for the installed ones.

    Raises:
        UsageError: a pattern is no regular expression.
    """

    name = "rules"

    def __init__(self, mode: Mode = "events", rules: Rules | None = None) -> None:
        self.mode: Mode = mode
        table = installed_rules() if rules is None else rules
        self._patterns: dict[str, list[re.Pattern[str]]] = {}
        for name, patterns in table.items():
            try:
                self._patterns[name] = [re.compile(p, re.MULTILINE) for p in patterns]
            except re.error as error:
                raise UsageError(
                    f"the rule for {name!r} is no regular expression: {error}"
                ) from None

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order.

        Raises:
            UsageError: a subgoal has no rule.
        """
        if missing := [s.name for s in subgoals if s.name not in self._patterns]:
            raise UsageError(
                f"the rules judge has no rule for {', '.join(map(repr, missing))};"
                f" it knows: {', '.join(sorted(self._patterns)) or 'none (is envs installed?)'}."
                " Use the given subgoals, or a judge that reads (local:MODEL, openai:MODEL)"
            )
        judgements = []
        for transition in transitions:
            text = transition.texts[self.mode]
            achieved = {
                s.name: any(p.search(text) for p in self._patterns[s.name]) for s in subgoals
            }
            judgements.append(Judgement(Verdict.OK, achieved))
        return judgements
