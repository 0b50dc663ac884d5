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
from data.evaluation.answers import Contestant, JudgeAnswers, ask
from data.evaluation.subgoal_match import Match, scored_tasks
from data.schema import ENGINE, PEOPLE, JudgedTransition, Label
from data.scoring.compare import Comparison, compare
from data.scoring.leave_one_out import people_against, people_against_each_other
from data.scoring.metrics import RESAMPLES, number
from data.scoring.people import (
    NOT_LABELLED,
    PeopleReference,
    Votes,
    count_votes,
    people_reference,
)
from data.scoring.raters import RaterAgreement, rater_agreement
from data.scoring.reference import Reference, engine_reference
from data.scoring.score import Score, score
from data.stored import items_at, items_where, joined, outlined_tasks, outlines, with_screens


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
    judged: Sequence[JudgedTransition] = field(repr=False)
    """Every answer, as the judges gave it: about the discovered subgoals if there are any."""

    @property
    def kinds(self) -> dict[str, int]:
        """Returns the number of transitions of each class, most frequent first."""
        return dict(Counter(self.reference.kinds).most_common())

    @property
    def episodes(self) -> int:
        """Returns the number of episodes that the transitions are of."""
        return int(self.reference.clusters.max()) + 1

    @property
    def is_papers_design(self) -> bool:
        """Returns whether it is the paper's design: KeyRoom, two subgoals and none, evenly."""
        counts = list(self.kinds.values())
        evenly = len(counts) == 3 and max(counts) - min(counts) <= 1
        return evenly and all("KeyRoom" in task for task in outlined_tasks(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON, without the transitions."""
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


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a set is called in its tables, and how their numbers are counted."""

    name: str = ""
    natural_rate: float | None = None
    """Share of transitions of natural play that achieve something, for the precision at that rate;
    None takes the rows' own share."""
    matches: Mapping[str, Match] = field(default_factory=dict)
    """By task, discovered subgoals to ask about in place of the given ones, and how they map onto
    them; only given ones that some discovered one means are scored."""
    drawn_from: int | None = None
    """How many rows there were, where the rows were drawn from them by `seed`."""
    resamples: int = RESAMPLES
    """Of the bootstrap."""
    seed: int = 0
    """Of the bootstrap."""


DEFAULTS = TableOptions()


def evaluate(
    judges: Iterable[Judge | Contestant],
    rows: Sequence[LabelledTransition],
    tasks: Task | Mapping[str, Task],
    options: TableOptions = DEFAULTS,
) -> EvaluationTable:
    """Asks every judge about every row and scores the answers against the engine's truth.

    Args and errors are those of `evaluate_against`.
    """
    return evaluate_against([ENGINE], judges, rows, tasks, options=options)[0]


def evaluate_against(
    against: Sequence[str],
    judges: Iterable[Judge | Contestant],
    rows: Sequence[LabelledTransition],
    tasks: Task | Mapping[str, Task],
    people: LabelReference | None = None,
    options: TableOptions = DEFAULTS,
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
        options: name, natural rate, discovered subgoals, bootstrap.

    Returns:
        A table for each reference, in their order.

    Raises:
        UsageError: no rows, no subgoals, none that a discovered one means, a task that is not
            described, a row without the description that a judge reads, or without the truth of a
            subgoal; no such person, or no transition on which people have a majority.
    """
    tasks = {tasks.id: tasks} if isinstance(tasks, Task) else tasks
    scored = scored_tasks(tasks, options.matches)
    covered = _scored_rows(against, rows, scored, people, options)
    references = {
        who: _reference(who, covered, people.min_people if people else 1)
        for who in dict.fromkeys(against)
    }
    answers = [
        ask(
            entry if isinstance(entry, Contestant) else Contestant(entry),
            covered.rows,
            tasks,
            options.matches,
        )
        for entry in judges
    ]
    answered = _Answered(covered, tasks, answers, people, options)
    agreement = _agreement(answered)
    return [
        _table(answered, who, reference, None if i else agreement)
        for i, (who, reference) in enumerate(references.items())
    ]


@dataclass(frozen=True, slots=True)
class _ScoredRows:
    """The rows that are asked about, with what the engine and people say of them."""

    rows: Sequence[LabelledTransition]
    engine: Reference
    votes: Votes | None
    left_out: Mapping[str, int]
    """How many rows of the set are not among `rows`, by reason."""


def _scored_rows(
    against: Sequence[str],
    rows: Sequence[LabelledTransition],
    scored: Mapping[str, Task],
    people: LabelReference | None,
    options: TableOptions,
) -> _ScoredRows:
    """Returns the rows with a subgoal to score; of labelled ones only, if the engine's truth is no
    reference."""
    total = len(rows)
    if options.matches:
        rows = items_where(
            rows, (_can_be_scored(row.task, scored, options.matches) for row in outlines(rows))
        )
    unnamed = total - len(rows)
    if total and not len(rows):
        raise UsageError(
            "none of the discovered subgoals means a given one, so there is no truth to score them"
            " on; say which means which with --match"
        )
    engine = engine_reference(rows, scored, options.natural_rate)
    votes = count_votes(people.labels, rows, scored, engine.names) if people else None
    unlabelled = 0
    if votes is not None and ENGINE not in against:
        labelled = votes.labelled
        if not len(labelled):
            raise UsageError(
                f"none of the {votes.elsewhere + votes.other_subgoals} labels is of a transition"
                f" and subgoals of {options.name or 'this set'}; is it the right one?"
            )
        unlabelled = len(rows) - len(labelled)
        rows = items_at(rows, labelled)
        votes = votes.of_rows(labelled)
        engine = engine_reference(rows, scored, engine.natural_rate)
    left_out = {k: n for k, n in ((NOT_LABELLED, unlabelled), (NOT_NAMED, unnamed)) if n}
    return _ScoredRows(rows, engine, votes, left_out)


@dataclass(frozen=True, slots=True)
class _Answered:
    """Everything that tables are made of, whatever the reference."""

    covered: _ScoredRows
    tasks: Mapping[str, Task]
    answers: Sequence[JudgeAnswers]
    people: LabelReference | None
    options: TableOptions

    @property
    def drawn(self) -> str:
        """Returns how the rows were drawn from a larger set, in words; "" if they are all."""
        total = self.options.drawn_from
        if total is None or len(self.covered.rows) >= total:
            return ""
        return f"drawn from {total} with seed {self.options.seed}, each class by its share"


def _table(
    of: _Answered, against: str, reference: Reference, agreement: RaterAgreement | None
) -> EvaluationTable:
    """Returns the table of one reference."""
    options = of.options
    majority = reference if isinstance(reference, PeopleReference) else None
    indices = np.arange(len(of.covered.rows)) if majority is None else majority.rows
    rows = of.covered.rows if majority is None else items_at(of.covered.rows, indices)
    answers = [a.of_rows(indices) for a in of.answers]
    scores = [
        score(
            a.judge,
            a.mode,
            reference,
            a.by_given_subgoal,
            a.usage(),
            variant=a.variant,
            resamples=options.resamples,
            seed=options.seed,
        )
        for a in answers
    ]
    left_out = {} if majority is None else dict(majority.left_out)
    left_out |= of.covered.left_out
    return EvaluationTable(
        name=options.name,
        tasks=of.tasks,
        matches=options.matches,
        rows=rows,
        reference=reference,
        scores=scores,
        comparisons=compare(reference, scores, options.resamples, options.seed),
        drawn=of.drawn,
        against=against,
        people=_people(of, against, reference, indices),
        left_out=left_out,
        agreement=agreement,
        judged=joined([repeat for a in answers for repeat in a.judged]),
    )


def _people(
    of: _Answered, against: str, reference: Reference, indices: npt.NDArray[np.int64]
) -> list[Score]:
    """Returns people as rows of the table; none without labels.

    Args:
        indices: (N,) of the rows that the reference covers.
    """
    if of.covered.votes is None or of.people is None:
        return []
    reads = _reads(of.people.labels)
    resamples, seed = of.options.resamples, of.options.seed
    if against == PEOPLE:
        return people_against_each_other(
            of.covered.votes,
            of.covered.rows,
            of.covered.engine.names,
            of.covered.engine.natural_rate,
            of.people.min_people,
            reads,
            resamples=resamples,
            seed=seed,
        )
    votes = of.covered.votes.of_rows(indices)
    others = votes if against == ENGINE else votes.without(against)
    return people_against(reference, others, reads, resamples=resamples, seed=seed)


def _can_be_scored(id: str, scored: Mapping[str, Task], matches: Mapping[str, Match]) -> bool:
    """Returns whether any given subgoal of a task is scored."""
    return id not in matches or bool(scored[id].subgoals)


def _reference(who: str, covered: _ScoredRows, min_people: int) -> Reference:
    """Returns the reference of that name.

    Raises:
        UsageError: no labels, or none of that person.
    """
    engine, votes = covered.engine, covered.votes
    if who == ENGINE:
        return engine
    if votes is None:
        raise UsageError(f"labels are needed to score against {who!r}")
    if who != PEOPLE and who not in votes.annotators:
        raise unknown("reference", who, [ENGINE, PEOPLE, *votes.annotators])
    if who != PEOPLE:
        votes, min_people = votes.only(who), 1
    return people_reference(votes, covered.rows, engine.names, engine.natural_rate, min_people)


def _agreement(of: _Answered) -> RaterAgreement | None:
    """Returns the kappas over the transitions that anybody labelled; None without labels."""
    rows, engine, votes = of.covered.rows, of.covered.engine, of.covered.votes
    if votes is None:
        return None
    labelled = votes.labelled
    judges = {}
    for a in of.answers:
        line = " ".join(x for x in (a.judge, a.mode, a.variant) if x)
        answers = items_at(a.by_given_subgoal[0], labelled)
        judges[line] = [_class_of(answer, engine.names) for answer in answers]
    return rater_agreement(
        votes.of_rows(labelled),
        with_screens(items_at(rows, labelled)),
        [engine.kinds[int(i)] for i in labelled],
        judges,
        of.options.seed,
    )


def _class_of(judgement: Judgement, names: Sequence[str]) -> str:
    if not judgement.verdict.readable:
        return "unreadable"
    return " + ".join(n for n in names if judgement.achieved.get(n)) or NONE


def _reads(labels: Sequence[Label]) -> dict[str, str]:
    """Returns what each person was shown, by name; `several` for more than one description."""
    modes: dict[str, set[str]] = {}
    for label in labels:
        modes.setdefault(label.annotator, set()).add(label.reads)
    return {name: next(iter(of)) if len(of) == 1 else "several" for name, of in modes.items()}
