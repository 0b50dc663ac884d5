"""Labels of annotators who are programs with stated error rates, for tests and documentation.

They are drawn from the engine's truth and are nobody's: each name begins with `simulated`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from calm.errors import UsageError, unknown
from calm.records import LabelledTransition, Task
from data.schema import Label

PREFIX = "simulated"


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How an annotator errs; each is a probability."""

    miss: float = 0.0
    """Says none where a subgoal was achieved."""
    false: float = 0.0
    """Names one of the subgoals, all alike, where none was achieved."""
    confuse: float = 0.0
    """Names another subgoal than the achieved one, where the task has another."""
    unsure: float = 0.0
    """Says unsure."""
    skip: float = 0.0
    """Gives no label."""


def read_rates(text: str) -> tuple[str, ErrorRates]:
    """Returns a name and its rates, from `NAME:miss=0.1,unsure=0.05`.

    Raises:
        UsageError: no such rate, or no probability.
    """
    name, _, pairs = text.partition(":")
    valid = [f.name for f in fields(ErrorRates)]
    rates = {}
    for pair in filter(None, pairs.split(",")):
        rate, _, value = pair.partition("=")
        if rate not in valid:
            raise unknown("error rate", rate, valid)
        try:
            rates[rate] = float(value)
        except ValueError:
            rates[rate] = -1.0
        if not 0 <= rates[rate] <= 1:
            raise UsageError(f"{text}: {rate} is {value!r}, expected a probability from 0 to 1")
    if not name.startswith(PREFIX):
        name = f"{PREFIX}-{name}" if name else PREFIX
    return name, ErrorRates(**rates)


def simulate(
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    annotators: Mapping[str, ErrorRates],
    seed: int = 0,
) -> list[Label]:
    """Returns labels drawn from the engine's truth; equal arguments give equal labels.

    Raises:
        UsageError: a name that does not say that the annotator is simulated.
    """
    labels = []
    for who, (name, rates) in enumerate(annotators.items()):
        if not name.startswith(PREFIX):
            raise UsageError(f"a simulated annotator's name begins with {PREFIX!r}, got {name!r}")
        rng = np.random.default_rng([seed, who])
        for row in rows:
            names = [s.name for s in tasks[row.transition.task].subgoals if s.name in row.truth]
            chance = rng.random(3)
            which = rng.random()
            if chance[0] < rates.skip:
                continue
            truth = [n for n in names if row.truth[n]]
            others = [n for n in names if n not in truth]
            achieved = truth
            if truth and chance[1] < rates.miss:
                achieved = []
            elif truth and others and chance[1] < rates.miss + rates.confuse:
                achieved = [others[int(which * len(others))]]
            elif not truth and names and chance[1] < rates.false:
                achieved = [names[int(which * len(names))]]
            unsure = bool(chance[2] < rates.unsure)
            labels.append(
                Label(
                    row.transition.id,
                    name,
                    () if unsure else tuple(achieved),
                    tuple(names),
                    unsure,
                    at="1970-01-01T00:00:00+00:00",
                    page="simulated",
                )
            )
    return labels
