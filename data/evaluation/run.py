"""Runs judges over labelled transitions and gathers every number into one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calm.errors import UsageError
from calm.judges.protocol import Judge
from calm.records import Judgement, Task, Usage
from data.evaluation.compare import Comparison, compare
from data.evaluation.score import RESAMPLES, Asked, Score, number, score
from data.evaluation.subgoal_match import OTHER, Match, translate
from data.parquet import names_of
from data.schema import JudgedTransition, LabelledTransition


@dataclass(frozen=True, slots=True)
class Contestant:
    """A judge to be evaluated, with what else its line of the table says."""

    judge: Judge
    variant: str = ""
    """The options of the prompt that differ from the default ones."""
    repeats: Sequence[Judge] = ()
    """The same judge asking afresh, once more each: its flip rate is measured over them."""


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """Judges × descriptions on one set of transitions."""

    name: str
    tasks: Mapping[str, Task]
    matches: Mapping[str, Match]
    """By task, where the judges were asked about discovered subgoals."""
    rows: Sequence[LabelledTransition] = field(repr=False)
    asked: Asked = field(repr=False)
    scores: list[Score]
    comparisons: list[Comparison]
    judged: list[JudgedTransition] = field(repr=False)
    """Every answer, as the judges gave it: about the discovered subgoals if there are any."""

    @property
    def kinds(self) -> dict[str, int]:
        """How many transitions are of each class, most frequent first."""
        return dict(Counter(self.asked.kinds).most_common())

    @property
    def episodes(self) -> int:
        return int(self.asked.clusters.max()) + 1

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
            "episodes": self.episodes,
            "classes": self.kinds,
            "natural_rate": number(self.asked.natural_rate),
            "subgoals": list(self.asked.names),
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
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UsageError: no rows, no subgoals, a task that is not described, a row without the
            description that a judge reads, or without the truth of a subgoal.
    """
    tasks = {tasks.id: tasks} if isinstance(tasks, Task) else tasks
    matches = matches or {}
    asked = _asked(rows, tasks, natural_rate, other=bool(matches))
    scores: list[Score] = []
    judged: list[JudgedTransition] = []
    for entry in judges:
        who = entry if isinstance(entry, Contestant) else Contestant(entry)
        repeats = [_judge(judge, rows, tasks, matches) for judge in (who.judge, *who.repeats)]
        scores.append(
            score(
                who.judge.name,
                who.judge.mode,
                asked,
                [[t for _, t in repeat] for repeat in repeats],
                sum((_bill(who.judge.mode, rows, repeat) for repeat in repeats), Usage()),
                variant=who.variant,
                resamples=resamples,
                seed=seed,
            )
        )
        for sample, repeat in enumerate(repeats):
            for row, (answer, _) in zip(rows, repeat, strict=True):
                judged.append(
                    JudgedTransition(
                        row.transition.id,
                        who.judge.name,
                        who.judge.mode,
                        answer,
                        sample,
                        who.variant,
                    )
                )
    comparisons = compare(asked, scores, resamples, seed)
    return EvaluationTable(name, tasks, matches, rows, asked, scores, comparisons, judged)


def _asked(
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    natural_rate: float | None,
    other: bool,
) -> Asked:
    if not rows:
        raise UsageError("there are no transitions to evaluate on")
    for id in {r.transition.task for r in rows}:
        if id not in tasks or not tasks[id].subgoals:
            raise UsageError(f"no subgoals are given for task {id!r}; name some to ask about")
    used = {r.transition.task: tasks[r.transition.task] for r in rows}
    names = names_of(used)
    columns = (*names, OTHER) if other else tuple(names)
    truth = np.full((len(rows), len(columns)), -2, dtype=np.int8)
    kinds = []
    index = {name: g for g, name in enumerate(columns)}
    for i, row in enumerate(rows):
        asked = [s.name for s in used[row.transition.task].subgoals]
        if missing := [n for n in asked if n not in row.truth]:
            raise UsageError(
                f"episode {row.transition.episode!r} step {row.transition.step} has no truth for"
                f" {', '.join(missing)}"
            )
        truth[i, [index[n] for n in asked]] = row.achieved(asked)
        kinds.append(row.kind(asked))
    _, clusters = np.unique([r.cluster for r in rows], return_inverse=True)
    rate = float((truth == 1).any(1).mean()) if natural_rate is None else natural_rate
    return Asked(columns, truth, tuple(kinds), clusters.astype(np.int64), rate)


def _judge(
    judge: Judge,
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    matches: Mapping[str, Match],
) -> list[tuple[Judgement, Judgement]]:
    """The answers in the order of the rows: as given, and in words of the given subgoals."""
    by_task: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if judge.mode not in row.transition.texts:
            raise UsageError(
                f"episode {row.transition.episode!r} step {row.transition.step} has no"
                f" {judge.mode!r} description for {judge.name}; has"
                f" {', '.join(row.transition.texts)}"
            )
        by_task.setdefault(row.transition.task, []).append(i)
    answers: dict[int, tuple[Judgement, Judgement]] = {}
    for id, indices in by_task.items():
        match = matches.get(id)
        subgoals = tasks[id].subgoals if match is None else match.discovered
        transitions = [rows[i].transition for i in indices]
        got = judge.judge(tasks[id], subgoals, transitions)
        if len(got) != len(indices):
            raise UsageError(f"{judge.name} gave {len(got)} answers for {len(indices)} transitions")
        for i, answer in zip(indices, got, strict=True):
            answers[i] = (answer, answer if match is None else translate(answer, match))
    return [answers[i] for i in range(len(rows))]


def _bill(
    mode: str, rows: Sequence[LabelledTransition], answers: Sequence[tuple[Judgement, Judgement]]
) -> Usage:
    """What the answers cost: equal texts were one question."""
    questions = {
        (row.transition.task, row.transition.texts[mode]): answer.usage
        for row, (answer, _) in zip(rows, answers, strict=True)
    }
    return sum(questions.values(), Usage())
