"""Runs judges over labelled transitions and gathers every number into one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calm.judges.protocol import Judge
from calm.records import LabelledTransition, Task
from data.evaluation.answers import Contestant, ask
from data.evaluation.compare import Comparison, compare
from data.evaluation.metrics import RESAMPLES
from data.evaluation.reference import Reference, engine_reference
from data.evaluation.score import Score, number, score
from data.evaluation.subgoal_match import Match
from data.schema import JudgedTransition


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """Judges × descriptions on one set of transitions."""

    name: str
    tasks: Mapping[str, Task]
    matches: Mapping[str, Match]
    """By task, where the judges were asked about discovered subgoals."""
    rows: Sequence[LabelledTransition] = field(repr=False)
    reference: Reference = field(repr=False)
    scores: list[Score]
    comparisons: list[Comparison]
    drawn: str
    """How the rows were drawn from a larger set, in words; empty where they are all there are."""
    judged: list[JudgedTransition] = field(repr=False)
    """Every answer, as the judges gave it: about the discovered subgoals if there are any."""

    @property
    def kinds(self) -> dict[str, int]:
        """How many transitions are of each class, most frequent first."""
        return dict(Counter(self.reference.kinds).most_common())

    @property
    def episodes(self) -> int:
        return int(self.reference.clusters.max()) + 1

    @property
    def is_papers_design(self) -> bool:
        """Whether it can stand beside the paper's table: KeyRoom, two subgoals and none, evenly."""
        counts = list(self.kinds.values())
        keyroom = all("KeyRoom" in row.transition.task for row in self.rows)
        return keyroom and len(counts) == 3 and max(counts) - min(counts) <= 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the transitions."""
        return {
            "name": self.name,
            "transitions": len(self.rows),
            "drawn": self.drawn,
            "episodes": self.episodes,
            "classes": self.kinds,
            "natural_rate": number(self.reference.natural_rate),
            "subgoals": list(self.reference.names),
            "matches": {task: match.to_dict() for task, match in self.matches.items()},
            "scores": [s.to_dict() for s in self.scores],
            "comparisons": [c.to_dict() for c in self.comparisons],
        }


def evaluate(
    judges: Iterable[Judge | Contestant],
    rows: Sequence[LabelledTransition],
    tasks: Task | Mapping[str, Task],
    *,
    name: str = "",
    natural_rate: float | None = None,
    matches: Mapping[str, Match] | None = None,
    drawn_from: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> EvaluationTable:
    """Asks every judge about every row and scores the answers against the engine's truth.

    Args:
        judges: each reads the description of its own `mode`.
        rows: at least one.
        tasks: of the rows, by id; their `subgoals` are what the judges are asked about.
        name: what the set is called in tables.
        natural_rate: share of transitions of natural play that achieve something, for the
            precision at that rate; None takes the rows' own share.
        matches: by task, discovered subgoals to ask about in place of the given ones, and how
            they map onto them.
        drawn_from: how many rows there were, where `rows` were drawn from them by `seed`.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UsageError: no rows, no subgoals, a task that is not described, a row without the
            description that a judge reads, or without the truth of a subgoal.
    """
    tasks = {tasks.id: tasks} if isinstance(tasks, Task) else tasks
    matches = matches or {}
    reference = engine_reference(rows, tasks, natural_rate, other=bool(matches))
    answers = [
        ask(entry if isinstance(entry, Contestant) else Contestant(entry), rows, tasks, matches)
        for entry in judges
    ]
    scores = [
        score(
            a.judge,
            a.mode,
            reference,
            a.about_given,
            a.usage,
            variant=a.variant,
            resamples=resamples,
            seed=seed,
        )
        for a in answers
    ]
    judged = [row for a in answers for row in a.judged(rows)]
    comparisons = compare(reference, scores, resamples, seed)
    drawn = ""
    if drawn_from is not None and len(rows) < drawn_from:
        drawn = f"drawn from {drawn_from} with seed {seed}, each class by its share"
    return EvaluationTable(
        name, tasks, matches, rows, reference, scores, comparisons, drawn, judged
    )
