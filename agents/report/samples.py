"""Picks a few judged transitions for a report, with the game's screens and the model's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from agents.report.tables import Table
from agents.training.run.folder import Run
from calm.records import Judgement, LabelledTransition
from calm.text import clean
from data.screen.view import screen_html

LONGEST = 1500
"""Characters of an answer that are shown."""
WRONG = "judge and truth differ"


@dataclass(frozen=True)
class Sample:
    """One judged transition as the report shows it."""

    title: str
    screens: Markup
    """The screens before and after, as HTML that is already escaped."""
    text: str
    """The description that the judge read."""
    judged: Sequence[str]
    """Names of the subgoals that were achieved by the judge's answer."""
    truth: Sequence[str] | None
    """Names of those that were achieved by the engine's truth; None where it is not known."""
    words: str = ""
    """What the judge answered, where it is a model; untrusted."""
    odds: Table | None = None
    """How likely a yes was, by subgoal, where the answer tells."""
    unreadable: str = ""
    """Why the answer can't be read; "" for one that can."""


def pick_samples(
    rows: Sequence[LabelledTransition],
    judged: Mapping[str, Judgement],
    names: Sequence[str],
    mode: str,
    most: int = 6,
    meanings: Mapping[str, str | None] | None = None,
) -> list[Sample]:
    """Picks the first transition of each class by truth, and first of all what is misjudged.

    Of these the first where something is missed, the first false alarm, and the first that can't be
    read.

    Args:
        rows: transitions with frames; those without are passed over.
        judged: the judge's answer by transition id.
        names: of the subgoals that were asked about.
        mode: the description that the judge read.
        most: samples at most.
        meanings: by name, the subgoal whose truth is known, None where there is none; by default
            those that are of the same name.
    """
    chosen: dict[str, Sample] = {}
    for row in rows:
        answer = judged.get(row.transition.id)
        if answer is None or row.before is None or row.after is None:
            continue
        truth_by_name = {
            name: row.truth[meant]
            for name, meant in (meanings or {n: n for n in names}).items()
            if meant is not None and meant in row.truth
        }
        kind = _kind(row, answer, truth_by_name)
        if kind not in chosen:
            chosen[kind] = _sample(kind, row, answer, names, truth_by_name, mode)
    # What went wrong first, then deeds, then nothing.
    order = sorted(chosen, key=lambda k: (not k.startswith(WRONG), k == "nothing achieved"))
    return [chosen[kind] for kind in order[:most]]


def _kind(row: LabelledTransition, answer: Judgement, truth: Mapping[str, bool]) -> str:
    """Returns what a transition is an example of, as the title of its sample begins."""
    if not answer.verdict.readable:
        return f"{WRONG}: {answer.verdict.value}"
    if any(yes and not answer.achieved.get(name) for name, yes in truth.items()):
        return f"{WRONG}: missed"
    if any(answer.achieved.get(name) and not yes for name, yes in truth.items()):
        return f"{WRONG}: false alarm"
    return next((name for name, yes in row.truth.items() if yes), "nothing achieved")


def _sample(
    kind: str,
    row: LabelledTransition,
    answer: Judgement,
    names: Sequence[str],
    truth: Mapping[str, bool],
    mode: str,
) -> Sample:
    step = row.transition
    return Sample(
        f"{kind} ({step.episode}, step {step.step}, action: {step.action})",
        screen_html(row),
        step.texts[mode],
        [name for name in names if answer.achieved.get(name)],
        [name for name, achieved in row.truth.items() if achieved],
        words=shown_words(answer),
        odds=odds_table(answer, names, truth),
        unreadable=_unreadable(answer),
    )


def samples_of_run(run: Run, title: str) -> list[Sample]:
    """Returns what a run's judge answered in its own words, where it is a model.

    The engine's truth about a text that training met is not known.
    """
    return [
        Sample(
            f"{title}: {_said(answer)}",
            Markup(),
            text,
            [name for name, yes in answer.achieved.items() if yes],
            None,
            words=shown_words(answer),
            odds=odds_table(answer, list(answer.achieved)),
            unreadable=_unreadable(answer),
        )
        for text, answer in run.words().items()
    ]


def _said(answer: Judgement) -> str:
    if not answer.verdict.readable:
        return answer.verdict.value
    return ", ".join(name for name, yes in answer.achieved.items() if yes) or "nothing achieved"


def _unreadable(answer: Judgement) -> str:
    return "" if answer.verdict.readable else f"{answer.verdict.value}: {answer.reason}"


def shown_words(answer: Judgement) -> str:
    """Returns what a model answered, as it may be shown; "" for a judge that is no model."""
    words = clean(answer.raw).strip()
    return words if len(words) <= LONGEST else words[:LONGEST] + " ..."


def odds_table(
    answer: Judgement, names: Sequence[str], truth: Mapping[str, bool] | None = None
) -> Table | None:
    """Returns how likely a yes was about each subgoal; None where the answer doesn't tell.

    Args:
        truth: by name, where it is known; None leaves its column out.
    """
    if answer.confidence is None:
        return None
    words = {True: "yes", False: "no", None: "not known"}
    rows = [
        (
            name,
            f"{answer.confidence[name]:.2f}",
            words[answer.achieved.get(name)],
            *(() if truth is None else (words[truth.get(name)],)),
        )
        for name in names
        if name in answer.confidence
    ]
    columns = ("subgoal", "how likely is a yes", "taken for")
    return Table(columns if truth is None else (*columns, "the engine says"), rows)
