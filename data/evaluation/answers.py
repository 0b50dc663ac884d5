"""Asks a judge about every row of a set, in one wording, as often as wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np
import numpy.typing as npt

from calm.annotation.many import BlockAnnotation, Progress
from calm.asking.tally import Tally
from calm.errors import UsageError
from calm.judges.protocol import Judge
from calm.records import Judgement, LabelledTransition, Mode, Task, Usage
from data.evaluation.learn_thresholds import fold_judgements
from data.evaluation.prompt_variants import Variant, reword_task, reword_transition, title
from data.evaluation.subgoal_match import Match, translate
from data.schema import JudgedTransition
from data.stored import Stored, in_blocks, items_at, outlines, stored_like

_NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Contestant:
    """A judge to be evaluated, and the wording in which it is asked."""

    judge: Judge
    variant: Variant = field(default_factory=dict)
    """The options of the prompt that differ from the default ones."""
    repeats: Sequence[Judge] = ()
    """S - 1 more judges that ask the same anew: the flip rate is measured over all S."""
    fold: bool = False
    """Whether a half of the texts is judged by thresholds learned on the other, see
    `fold_judgements`."""
    progress: Sequence[Progress] = ()
    """Called while each of `judge` and `repeats` waits for an endpoint, see `annotate`."""


@dataclass(frozen=True, slots=True)
class JudgeAnswers:
    """What one judge answered about N rows, S times."""

    judge: str
    mode: Mode
    variant: str
    """The options of the prompt that differ from the default ones, in words."""
    judged: Sequence[Sequence[JudgedTransition]]
    """(S, N) as the judge gave them: about the discovered subgoals if there are any."""
    by_given_subgoal: Sequence[Sequence[Judgement]]
    """(S, N) the same by the given subgoals that the discovered ones mean."""
    questions: npt.NDArray[np.int64]
    """(N,) the hash of each row's task and text: equal ones were one question."""
    is_free: bool
    """Whether no answer has cost anything."""

    @property
    def raw(self) -> list[Sequence[Judgement]]:
        """Returns (S, N) answers as the judge gave them."""
        return [_judgements(repeat) for repeat in self.judged]

    def of_rows(self, rows: npt.NDArray[np.int64]) -> JudgeAnswers:
        """Returns the answers about some of the rows, by their indices."""
        if np.array_equal(rows, np.arange(len(self.questions))):
            return self
        return replace(
            self,
            judged=[items_at(repeat, rows) for repeat in self.judged],
            by_given_subgoal=[items_at(repeat, rows) for repeat in self.by_given_subgoal],
            questions=self.questions[rows],
        )

    def usage(self) -> Usage:
        """Returns what the answers cost, over all repeats; equal texts were one question."""
        if self.is_free:
            return Usage()
        _, first = np.unique(self.questions, return_index=True)
        is_first = np.zeros(len(self.questions), bool)
        is_first[first] = True
        usage = Usage()
        for repeat in self.judged:
            usage = sum((row.judgement.usage for row in compress(repeat, is_first)), usage)
        return usage


def ask(
    contestant: Contestant,
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    matches: Mapping[str, Match],
) -> JudgeAnswers:
    """Asks one contestant about every row.

    Args:
        contestant: the judge, and the wording in which it is asked.
        rows: of any of the tasks; of rows that are not in memory a block is, and the answers are
            in a file as they are.
        tasks: by id; their `subgoals` are asked about.
        matches: by task, discovered subgoals to ask about in place of the given ones.

    Raises:
        UsageError: a row lacks the description that the judge reads; or thresholds are to be
            learned, and no answer about a half says how sure the model is.
        EndpointError, BudgetError: a model stopped answering before all rows were asked about.
    """
    judge, variant = contestant.judge, title(contestant.variant)
    judged, by_given_subgoal = [], []
    questions = np.zeros(len(rows), np.int64)
    is_free = True
    for i, repeat in enumerate((judge, *contestant.repeats)):
        progress = contestant.progress[i] if i < len(contestant.progress) else None
        asking = _Asking(repeat, contestant.variant, tasks, matches, progress)
        answers = stored_like(
            rows,
            (
                JudgedTransition(row.transition.id, judge.name, judge.mode, judgement, i, variant)
                for row, judgement in asking.about(rows, questions)
            ),
        )
        is_free = is_free and asking.is_free
        if contestant.fold:
            folded = fold_judgements(rows, _judgements(answers), judge.mode)
            answers = stored_like(rows, map(_with_judgement, answers, folded))
        judged.append(answers)
        if matches:
            translated = (
                replace(answer, judgement=translate(answer.judgement, matches[outline.task]))
                for outline, answer in zip(outlines(rows), answers, strict=True)
            )
            by_given_subgoal.append(_judgements(stored_like(rows, translated)))
        else:
            by_given_subgoal.append(_judgements(answers))
    return JudgeAnswers(
        judge.name, judge.mode, variant, judged, by_given_subgoal, questions, is_free
    )


def _judgements(judged: Sequence[JudgedTransition]) -> Sequence[Judgement]:
    """Returns the judgements of answers, stored as these are."""
    if isinstance(judged, Stored):
        return judged.mapped(lambda row: row.judgement)
    return [row.judgement for row in judged]


def _with_judgement(answer: JudgedTransition, judgement: Judgement) -> JudgedTransition:
    return replace(answer, judgement=judgement)


class _Asking:
    """Asks one judge in one wording, about rows of several tasks.

    Args:
        progress: told how far it is.
        judge, variant, tasks, matches: as for `ask`.
    """

    def __init__(
        self,
        judge: Judge,
        variant: Variant,
        tasks: Mapping[str, Task],
        matches: Mapping[str, Match],
        progress: Progress | None,
    ) -> None:
        self._judge, self._variant = judge, variant
        self._tasks, self._matches, self._progress = tasks, matches, progress
        self._by_task: dict[str, BlockAnnotation] = {}
        self.is_free = True
        """Whether no answer has cost anything yet."""

    def about(
        self, rows: Sequence[LabelledTransition], questions: npt.NDArray[np.int64]
    ) -> Iterator[tuple[LabelledTransition, Judgement]]:
        """Yields the rows, each with its judgement.

        Args:
            questions: (N,) gets the hash of each row's task and text.
        """
        first = 0
        for block in in_blocks(rows):
            answers = self._about(block)
            for i, (row, answer) in enumerate(zip(block, answers, strict=True), first):
                transition = row.transition
                self.is_free = self.is_free and answer.usage == _NOTHING
                questions[i] = hash((transition.task, transition.texts[self._judge.mode]))
                yield row, answer
            first += len(block)

    def _about(self, rows: Sequence[LabelledTransition]) -> list[Judgement]:
        """Returns one judgement for each row of a block, in their order."""
        judge = self._judge
        by_task: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            if judge.mode not in row.transition.texts:
                raise UsageError(
                    f"episode {row.transition.episode!r} step {row.transition.step} has no"
                    f" {judge.mode!r} description for {judge.name}; has"
                    f" {', '.join(row.transition.texts)}"
                )
            by_task.setdefault(row.transition.task, []).append(i)
        answers: dict[int, Judgement] = {}
        for id, indices in by_task.items():
            is_first = id not in self._by_task
            annotation = self._annotation(id)
            transitions = [
                reword_transition(rows[i].transition, judge.mode, self._variant) for i in indices
            ]
            if self._progress is not None and is_first:  # the first answer may take minutes
                self._progress(Tally(len({t.texts[judge.mode] for t in transitions})), Usage())
            judgements = annotation.judge(transitions)
            if annotation.stopped is not None:
                raise annotation.stopped
            if len(judgements) != len(indices):
                raise UsageError(
                    f"{judge.name} gave {len(judgements)} answers for {len(indices)} transitions"
                )
            annotation.show()
            answers |= dict(zip(indices, judgements, strict=True))
        return [answers[i] for i in range(len(rows))]

    def _annotation(self, id: str) -> BlockAnnotation:
        """Returns what asks about a task."""
        if id not in self._by_task:
            match = self._matches.get(id)
            subgoals = self._tasks[id].subgoals if match is None else match.discovered
            self._by_task[id] = BlockAnnotation(
                self._judge, reword_task(self._tasks[id], self._variant), subgoals, self._progress
            )
        return self._by_task[id]
