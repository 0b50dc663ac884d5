"""Asks a judge about every row of a set, in one wording, as often as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from calm.annotation.many import Progress, annotate
from calm.asking.tally import Tally
from calm.errors import UsageError
from calm.judges.protocol import Judge
from calm.records import Judgement, LabelledTransition, Mode, Task, Usage
from data.evaluation.learn_thresholds import fold_judgements
from data.evaluation.prompt_variants import Variant, reword_task, reword_transition, title
from data.evaluation.subgoal_match import Match, translate
from data.schema import JudgedTransition


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
    raw: list[list[Judgement]]
    """(S, N) as the judge gave them: about the discovered subgoals if there are any."""
    by_given_subgoal: list[list[Judgement]]
    """(S, N) the same by the given subgoals that the discovered ones mean."""

    def of_rows(self, rows: npt.NDArray[np.int64]) -> JudgeAnswers:
        """Returns the answers about some of the rows, by their indices."""
        raw, by_given_subgoal = (
            [[repeat[int(i)] for i in rows] for repeat in repeats]
            for repeats in (self.raw, self.by_given_subgoal)
        )
        return replace(self, raw=raw, by_given_subgoal=by_given_subgoal)

    def to_rows(self, rows: Sequence[LabelledTransition]) -> list[JudgedTransition]:
        """Returns the S × N answers as rows of a file; `rows` are the N that were asked about."""
        return [
            JudgedTransition(row.transition.id, self.judge, self.mode, answer, i, self.variant)
            for i, repeat in enumerate(self.raw)
            for row, answer in zip(rows, repeat, strict=True)
        ]


def ask(
    contestant: Contestant,
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    matches: Mapping[str, Match],
) -> JudgeAnswers:
    """Asks one contestant about every row.

    Args:
        contestant: the judge, and the wording in which it is asked.
        rows: of any of the tasks.
        tasks: by id; their `subgoals` are asked about.
        matches: by task, discovered subgoals to ask about in place of the given ones.

    Raises:
        UsageError: a row lacks the description that the judge reads; or thresholds are to be
            learned, and no answer about a half says how sure the model is.
        EndpointError, BudgetError: a model stopped answering before all rows were asked about.
    """
    judge = contestant.judge
    raw = []
    for i, repeat in enumerate((judge, *contestant.repeats)):
        progress = contestant.progress[i] if i < len(contestant.progress) else None
        answers = _answers(repeat, contestant.variant, rows, tasks, matches, progress)
        raw.append(fold_judgements(rows, answers, judge.mode) if contestant.fold else answers)
    by_given_subgoal = [
        [
            translate(answer, matches[row.transition.task]) if matches else answer
            for row, answer in zip(rows, repeat, strict=True)
        ]
        for repeat in raw
    ]
    return JudgeAnswers(judge.name, judge.mode, title(contestant.variant), raw, by_given_subgoal)


def _answers(
    judge: Judge,
    variant: Variant,
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    matches: Mapping[str, Match],
    progress: Progress | None,
) -> list[Judgement]:
    """Returns one judgement for each row, in their order."""
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
        match = matches.get(id)
        subgoals = tasks[id].subgoals if match is None else match.discovered
        transitions = [reword_transition(rows[i].transition, judge.mode, variant) for i in indices]
        if progress is not None:  # said before the first answer comes, which may take minutes
            progress(Tally(len({t.texts[judge.mode] for t in transitions})), Usage())
        judgements, summary = annotate(
            judge, reword_task(tasks[id], variant), subgoals, transitions, progress=progress
        )
        if summary.stopped is not None:
            raise summary.stopped
        if len(judgements) != len(indices):
            raise UsageError(
                f"{judge.name} gave {len(judgements)} answers for {len(indices)} transitions"
            )
        answers |= dict(zip(indices, judgements, strict=True))
    return [answers[i] for i in range(len(rows))]


def usage_of(
    answers: JudgeAnswers, rows: Sequence[LabelledTransition], which: npt.NDArray[np.int64]
) -> Usage:
    """Returns what the answers about some of the rows cost, over all repeats.

    Equal texts were one question.
    """
    usage = Usage()
    for repeat in answers.raw:
        questions = {
            (rows[i].transition.task, rows[i].transition.texts[answers.mode]): repeat[i].usage
            for i in which.tolist()
        }
        usage = sum(questions.values(), usage)
    return usage
