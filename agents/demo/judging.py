"""Scores a demo's judge: its answers about the transitions against the engine's truth.

What a model names and how well it judges are two things. A given subgoal that it never named was
never asked about, and one of its own that means no given one has no truth; neither is scored. The
match of names is shown beside the scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table as TerminalTable
from rich.text import Text

from agents.report.tables import Table
from calm.annotation.many import annotate, progress_line
from calm.asking.tally import Tally
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.judges.protocol import Immediate, Judge
from calm.records import Judgement, LabelledTransition, Mode, Subgoal, Task, Transition, Usage
from calm.subgoal_trial import try_subgoals
from data.evaluation.evaluate import TableOptions, evaluate
from data.evaluation.subgoal_match import Match, match, scored_tasks, translate
from data.report.terminal import fmt_interval, fmt_share
from data.scoring.score import Score

LOG_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""

COLUMNS = {
    "judge": "annotator",
    "mcc": "MCC",
    "balanced_accuracy": "bal. acc.",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "accuracy": "accuracy",
}
"""Of the table "any subgoal": names of metrics, and what stands above them."""

SUBGOAL_COLUMNS = ("subgoal", "achieved", "precision", "recall", "F1", "MCC")


@dataclass(frozen=True)
class Judging:
    """A judge's answers about N transitions, and its scores beside those of baselines."""

    rows: Sequence[LabelledTransition]
    """(N,) transitions with the engine's truth."""
    mode: Mode
    """The description that the judge read."""
    answers: Mapping[str, Judgement]
    """By transition id, as the judge gave them: about the subgoals that it named."""
    match: Match | None
    """Which given subgoal each named one means; None where the given ones were asked about."""
    scores: Sequence[Score]
    """The judge's first, then the baselines'; none where no named subgoal has a truth."""
    evaluation: Mapping[str, Any]
    """All of it as plain values, as `calm evaluate --json` has it."""
    prompt: str = ""
    """One whole question as it was put to a model; "" for a judge that is none."""

    @property
    def meanings(self) -> dict[str, str | None]:
        """Returns by name of a subgoal that was asked about the given one that it means, if any."""
        names = {name for answer in self.answers.values() for name in answer.achieved}
        return {name: name for name in names} if self.match is None else dict(self.match.of)

    def naming(self) -> list[str]:
        """Returns what the judge named, in sentences; none where it named nothing itself."""
        if self.match is None:
            return []
        scored = [f"{name} (for {meant})" for name, meant in self.match.of.items() if meant]
        other = [name for name, meant in self.match.of.items() if meant is None]
        never = [s.name for s in self.match.given if s.name not in self.match.of.values()]
        lines = [f"It named {len(self.match.of)} subgoals and was asked about these."]
        if scored:
            lines.append(f"Scored, since their truth is known: {', '.join(scored)}.")
        if other:
            lines.append(f"Not scored, since the engine's truth has no such: {', '.join(other)}.")
        if never:
            lines.append(f"Never named, so not asked about and not scored: {', '.join(never)}.")
        return lines

    def warnings(self) -> list[str]:
        """Returns what is wrong with the subgoals that it was asked about, by its own answers."""
        transitions = [row.transition for row in self.rows]
        judgements = [self.answers[t.id] for t in transitions]
        names = dict.fromkeys(name for j in judgements for name in j.achieved)
        return try_subgoals([Subgoal(name, "") for name in names], transitions, judgements).warnings

    def any_table(self) -> Table:
        """Returns a row a judge: figures for "any subgoal", with intervals clustered by episode."""
        rows = []
        for score in self.scores:
            figures = [fmt_interval(score.metrics[name]) for name in list(COLUMNS)[1:]]
            unreadable = sum(
                n for verdict, n in score.verdicts.items() if verdict not in ("ok", "repaired")
            )
            rows.append(
                [score.judge, *figures, fmt_share(score.metrics["exact"].value), unreadable]
            )
        return Table([*COLUMNS.values(), "all subgoals right", "unreadable"], rows)

    def subgoal_table(self) -> Table:
        """Returns a table of a row a scored subgoal: times achieved, the judge's figures."""
        rows = []
        for score in self.scores[:1]:
            for name, metrics in score.subgoals.items():
                achieved = int(score.counts[name][1].sum())
                figures = [fmt_interval(metrics[k]) for k in ("precision", "recall", "f1", "mcc")]
                rows.append([name, achieved, *figures])
        return Table(SUBGOAL_COLUMNS, rows)

    def show(self, console: Console) -> None:
        """Prints the figures without their intervals, which are in the report."""
        for line in self.naming():
            console.print(Text(line))
        for line in self.warnings():
            console.print(Text(f"Mind: {line}."))
        if not self.scores:
            console.print(Text("No subgoal that it named has a known truth, so it is not scored."))
            return
        which = "Any subgoal" if self.match is None else "Any subgoal that it named"
        overall = TerminalTable(
            title=f"{which}, against the engine's truth, on {len(self.rows)} transitions"
        )
        for name in (*COLUMNS.values(), "exact"):
            overall.add_column(Text(name), justify="left" if name == "annotator" else "right")
        for score in self.scores:
            figures = [score.metrics[name].value for name in (*list(COLUMNS)[1:], "exact")]
            overall.add_row(Text(score.judge), *(Text(fmt_share(value)) for value in figures))
        console.print(overall)
        by_subgoal = TerminalTable(title=f"Each subgoal, as {self.scores[0].judge} judged it")
        for name in SUBGOAL_COLUMNS:
            by_subgoal.add_column(Text(name), justify="left" if name == "subgoal" else "right")
        for name, metrics in self.scores[0].subgoals.items():
            achieved = str(int(self.scores[0].counts[name][1].sum()))
            figures = [metrics[k].value for k in ("precision", "recall", "f1", "mcc")]
            by_subgoal.add_row(Text(name), achieved, *(Text(fmt_share(value)) for value in figures))
        console.print(by_subgoal)


@dataclass(frozen=True)
class _Answered(Immediate):
    """A judge that gives the answers it already has, by transition id."""

    name: str
    mode: Mode
    answers: Mapping[str, Judgement]

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        return [self.answers[t.id] for t in transitions]


def judge_transitions(
    judge: Judge,
    task: Task,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    seed: int,
    console: Console,
) -> Judging:
    """Asks a judge about transitions of one task, and scores it beside baselines.

    Args:
        judge: whom to ask; a model is waited for with counts on the console.
        task: with its given subgoals, whose truth the rows hold.
        subgoals: what is asked about: the given ones, or those that the judge named.
        rows: at least one.
        seed: of the random baseline.
        console: for the progress and the table.

    Raises:
        EndpointError, BudgetError: a model could not be asked to the end.
    """
    answers = _ask(judge, task, subgoals, rows, console)
    named = None if tuple(subgoals) == task.subgoals else match(subgoals, task.subgoals)
    scored = task
    about = answers
    if named is not None:
        scored = scored_tasks({task.id: task}, {task.id: named})[task.id]
        about = {id: translate(answer, named) for id, answer in answers.items() if scored.subgoals}
    evaluation, scores = _evaluate(_Answered(judge.name, judge.mode, about), scored, rows, seed)
    if named is not None:
        evaluation = {**evaluation, "matches": {task.id: named.to_dict()}}
    prompt = _example(judge, task, subgoals, rows)
    judging = Judging(rows, judge.mode, answers, named, scores, evaluation, prompt)
    judging.show(console)
    return judging


def _example(
    judge: Judge, task: Task, subgoals: Sequence[Subgoal], rows: Sequence[LabelledTransition]
) -> str:
    """Returns a question that a model was asked about the first transition that achieves one."""
    if not isinstance(judge, OpenAIJudge):
        return ""
    row = next((row for row in rows if any(row.truth.values())), rows[0])
    *_, piece = judge.form.pieces(row.transition.texts[judge.mode])
    return judge.items(task, subgoals)[0].prompt.render([piece])


def _ask(
    judge: Judge,
    task: Task,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    console: Console,
) -> dict[str, Judgement]:
    """Asks the judge about each transition; returns its answers by transition id."""
    transitions = [row.transition for row in rows]
    with console.status(Text(f"{judge.name} judges {len(rows)} transitions ...")) as status:
        show = _progress(judge.name, console, lambda line: status.update(Text(line)))
        judgements, summary = annotate(judge, task, subgoals, transitions, progress=show)
    if summary.stopped is not None:
        raise summary.stopped
    return {t.id: j for t, j in zip(transitions, judgements, strict=True)}


def _progress(
    name: str, console: Console, show: Callable[[str], None]
) -> Callable[[Tally, Usage], None]:
    """Returns a progress function that changes a terminal's line or adds some to a log."""
    began = printed = time.monotonic()

    def progress(tally: Tally, usage: Usage) -> None:
        nonlocal printed
        now = time.monotonic()
        line = f"{name}: {progress_line(tally, usage, now - began)}"
        show(line)
        if not console.is_terminal and now - printed >= LOG_EVERY:
            printed = now
            console.print(Text(line), soft_wrap=True)

    return progress


def _evaluate(
    judge: Judge, task: Task, rows: Sequence[LabelledTransition], seed: int
) -> tuple[Mapping[str, Any], list[Score]]:
    """Scores the judge and the baselines; returns all as plain values, and the scores."""
    names = [s.name for s in task.subgoals]
    if not names:
        return {"name": "demo", "transitions": len(rows), "scores": [], "comparisons": []}, []
    rate = sum(any(row.truth[name] for name in names) for row in rows) / len(rows)
    # As often "any subgoal" as the truth: 1 - (1 - p)^G = rate.
    chance = 1 - (1 - rate) ** (1 / len(names))
    specs = ("always-yes", "always-no", f"random:{chance:.4f}")
    baselines = [make_judge(spec, seed=seed) for spec in specs]
    table = evaluate([judge], rows, task, TableOptions("demo"))
    table.scores.extend(evaluate(baselines, rows, task, TableOptions("demo")).scores)
    return table.to_dict(), table.scores
