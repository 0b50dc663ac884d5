"""Runs judges over labelled transitions and gathers every number, a table for each reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown
from calm.judges.protocol import Judge
from calm.records import NONE, Judgement, LabelledTransition, Task
from data.evaluation.answers import Contestant, JudgeAnswers, ask, bill
from data.evaluation.subgoal_match import Match, scored_tasks
from data.schema import ENGINE, PEOPLE, JudgedTransition, Label
from data.scoring.compare import Comparison, compare
from data.scoring.human import people_against, people_against_each_other
from data.scoring.metrics import RESAMPLES
from data.scoring.people import (
    NOT_LABELLED,
    PeopleReference,
    Votes,
    count_votes,
    people_reference,
)
from data.scoring.raters import RaterAgreement, rater_agreement
from data.scoring.reference import Reference, engine_reference
from data.scoring.score import Score, number, score


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
    against: str
    """What the judges are scored against: `engine`, `people`, or one person's name."""
    people: list[Score]
    """People as rows, where there are labels: each against the engine, or against the others."""
    left_out: Mapping[str, int]
    """Rows of the set that the reference says nothing of, by reason."""
    agreement: RaterAgreement | None = field(repr=False)
    """Where there are labels, in the first table of a set: kappas of everybody with everybody, and
    where people and the engine differ."""
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
            "against": self.against,
            "left_out": dict(self.left_out),
            "episodes": self.episodes,
            "classes": self.kinds,
            "natural_rate": number(self.reference.natural_rate),
            "subgoals": list(self.reference.names),
            "matches": {task: match.to_dict() for task, match in self.matches.items()},
            "scores": [s.to_dict() for s in self.scores],
            "people": [s.to_dict() for s in self.people],
            "comparisons": [c.to_dict() for c in self.comparisons],
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
        }


NOT_NAMED = "of tasks of which no given subgoal was named"
"""Why a transition is left out of every table."""


@dataclass(frozen=True, slots=True)
class LabelReference:
    """People's labels, and how they are taken as a reference."""

    labels: Sequence[Label] = ()
    min_people: int = 2
    """How many must have been sure of a transition for their majority to count."""


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

    Args and errors are those of `evaluate_against`.
    """
    return evaluate_against(
        [ENGINE],
        judges,
        rows,
        tasks,
        name=name,
        natural_rate=natural_rate,
        matches=matches,
        drawn_from=drawn_from,
        resamples=resamples,
        seed=seed,
    )[0]


def evaluate_against(
    against: Sequence[str],
    judges: Iterable[Judge | Contestant],
    rows: Sequence[LabelledTransition],
    tasks: Task | Mapping[str, Task],
    people: LabelReference | None = None,
    *,
    name: str = "",
    natural_rate: float | None = None,
    matches: Mapping[str, Match] | None = None,
    drawn_from: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[EvaluationTable]:
    """Asks every judge once and scores the answers against each reference.

    Without the engine among the references, only the transitions that somebody labelled are asked
    about.

    Args:
        against: `engine`, `people` (the majority), or the names of single people.
        judges: each reads the description of its own `mode`.
        rows: at least one.
        tasks: of the rows, by id; their `subgoals` are what the judges are asked about.
        people: their labels; needed for every reference but the engine.
        name: what the set is called in tables.
        natural_rate: share of transitions of natural play that achieve something, for the
            precision at that rate; None takes the rows' own share.
        matches: by task, discovered subgoals to ask about in place of the given ones, and how
            they map onto them; only given ones that some discovered one means are scored.
        drawn_from: how many rows there were, where `rows` were drawn from them by `seed`.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UsageError: no rows, no subgoals, none that a discovered one means, a task that is not
            described, a row without the description that a judge reads, or without the truth of a
            subgoal; no such person, or no transition on which people have a majority.
    """
    tasks = {tasks.id: tasks} if isinstance(tasks, Task) else tasks
    matches = matches or {}
    scored = scored_tasks(tasks, matches)
    n_rows = len(rows)
    rows = [row for row in rows if _can_be_scored(row, scored, matches)]
    if n_rows and not rows:
        raise UsageError(
            "none of the discovered subgoals means a given one, so there is no truth to score them"
            " on; say which means which with --match"
        )
    engine = engine_reference(rows, scored, natural_rate)
    votes = count_votes(people.labels, rows, scored, engine.names) if people else None
    unlabelled = 0
    if votes is not None and ENGINE not in against:
        labelled = votes.labelled
        if not len(labelled):
            raise UsageError(
                f"none of the {votes.elsewhere + votes.other_subgoals} labels is of a transition"
                f" and subgoals of {name or 'this set'}; is it the right one?"
            )
        unlabelled = len(rows) - len(labelled)
        rows = [rows[int(i)] for i in labelled]
        votes = votes.of_rows(labelled)
        natural_rate = engine.natural_rate
        engine = engine_reference(rows, scored, natural_rate)
    unnamed = n_rows - len(rows) - unlabelled
    left_out = {k: n for k, n in ((NOT_LABELLED, unlabelled), (NOT_NAMED, unnamed)) if n}
    references = {
        who: _reference(who, engine, votes, rows, people.min_people if people else 1)
        for who in dict.fromkeys(against)
    }
    answers = [
        ask(entry if isinstance(entry, Contestant) else Contestant(entry), rows, tasks, matches)
        for entry in judges
    ]
    drawn = ""
    if drawn_from is not None and len(rows) < drawn_from:
        drawn = f"drawn from {drawn_from} with seed {seed}, each class by its share"
    answered = _Answered(
        rows, tasks, matches, engine, votes, answers, people, name, drawn, left_out
    )
    agreement = _agreement(votes, rows, engine, answers, seed) if votes else None
    return [
        _table(answered, who, reference, None if i else agreement, resamples, seed)
        for i, (who, reference) in enumerate(references.items())
    ]


@dataclass(frozen=True, slots=True)
class _Answered:
    """Everything that tables are made of, whatever the reference."""

    rows: Sequence[LabelledTransition]
    tasks: Mapping[str, Task]
    matches: Mapping[str, Match]
    engine: Reference
    votes: Votes | None
    answers: Sequence[JudgeAnswers]
    people: LabelReference | None
    name: str
    drawn: str
    left_out: Mapping[str, int]
    """How many rows of the set are not among `rows`, by reason."""


def _table(
    of: _Answered,
    against: str,
    reference: Reference,
    agreement: RaterAgreement | None,
    resamples: int,
    seed: int,
) -> EvaluationTable:
    """The table of one reference."""
    majority = reference if isinstance(reference, PeopleReference) else None
    covered = np.arange(len(of.rows)) if majority is None else majority.rows
    rows = [of.rows[int(i)] for i in covered]
    scores = [
        score(
            a.judge,
            a.mode,
            reference,
            [[repeat[int(i)] for i in covered] for repeat in a.about_given],
            bill(a, of.rows, covered),
            variant=a.variant,
            resamples=resamples,
            seed=seed,
        )
        for a in of.answers
    ]
    left_out = {} if majority is None else dict(majority.left_out)
    left_out |= of.left_out
    return EvaluationTable(
        of.name,
        of.tasks,
        of.matches,
        rows,
        reference,
        scores,
        compare(reference, scores, resamples, seed),
        of.drawn,
        against,
        _people(of, against, reference, covered, resamples, seed),
        left_out,
        agreement,
        [row for a in of.answers for row in a.of_rows(covered).judged(rows)],
    )


def _people(
    of: _Answered,
    against: str,
    reference: Reference,
    covered: npt.NDArray[np.int64],
    resamples: int,
    seed: int,
) -> list[Score]:
    """People as rows of the table; none without labels."""
    if of.votes is None or of.people is None:
        return []
    reads = _reads(of.people.labels)
    if against == PEOPLE:
        return people_against_each_other(
            of.votes,
            of.rows,
            of.engine.names,
            of.engine.natural_rate,
            of.people.min_people,
            reads,
            resamples=resamples,
            seed=seed,
        )
    votes = of.votes.of_rows(covered)
    others = votes if against == ENGINE else votes.without(against)
    return people_against(reference, others, reads, resamples=resamples, seed=seed)


def _can_be_scored(
    row: LabelledTransition, scored: Mapping[str, Task], matches: Mapping[str, Match]
) -> bool:
    """Whether any given subgoal of the row's task is scored."""
    id = row.transition.task
    return id not in matches or bool(scored[id].subgoals)


def _reference(
    who: str,
    engine: Reference,
    votes: Votes | None,
    rows: Sequence[LabelledTransition],
    min_people: int,
) -> Reference:
    """The reference of that name."""
    if who == ENGINE:
        return engine
    if votes is None:
        raise UsageError(f"labels are needed to score against {who!r}")
    if who == PEOPLE:
        return people_reference(votes, rows, engine.names, engine.natural_rate, min_people)
    if who not in votes.annotators:
        raise unknown("reference", who, [ENGINE, PEOPLE, *votes.annotators])
    return people_reference(votes.only(who), rows, engine.names, engine.natural_rate, 1)


def _agreement(
    votes: Votes,
    rows: Sequence[LabelledTransition],
    engine: Reference,
    answers: Sequence[JudgeAnswers],
    seed: int,
) -> RaterAgreement:
    """Kappas over the transitions that anybody labelled."""
    labelled = votes.labelled
    judges = {}
    for a in answers:
        line = " ".join(x for x in (a.judge, a.mode, a.variant) if x)
        judges[line] = [_class_of(a.about_given[0][int(i)], engine.names) for i in labelled]
    return rater_agreement(
        votes.of_rows(labelled),
        [rows[int(i)] for i in labelled],
        [engine.kinds[int(i)] for i in labelled],
        judges,
        seed,
    )


def _class_of(judgement: Judgement, names: Sequence[str]) -> str:
    if not judgement.verdict.readable:
        return "unreadable"
    return " + ".join(n for n in names if judgement.achieved.get(n)) or NONE


def _reads(labels: Sequence[Label]) -> dict[str, str]:
    """What each person saw, by name; `several` where they saw more than one description."""
    seen: dict[str, set[str]] = {}
    for label in labels:
        seen.setdefault(label.annotator, set()).add(label.reads)
    return {name: next(iter(of)) if len(of) == 1 else "several" for name, of in seen.items()}
