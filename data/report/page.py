"""`evaluate.html`: the whole evaluation in one file that needs no other, no network, no server.

Tables, confusion matrices, calibration and cost-against-quality plots, and every transition on
which a judge and the engine differ, with the raw answers. All text of games and models is escaped,
and the page's own policy lets nothing but its one script run.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calm.files import write_file
from calm.records import Judgement, LabelledTransition
from data.evaluation.evaluate import EvaluationTable
from data.evaluation.paper import PaperRow, paper_table
from data.report.terminal import (
    fmt_interval,
    fmt_number,
    fmt_share,
    is_in_play,
    judges_that_read,
)
from data.schema import ENGINE
from data.scoring.score import Score
from data.screen.view import HERE as SCREEN
from data.screen.view import ScreenView, screen_style, screen_views
from data.stored import items_at, with_screens

TEMPLATES = Path(__file__).parent / "templates"
MOST = 300
"""Disagreements shown of one table; the rest is counted. 300 make a page of about 3 MB."""

PLOT = 220
"""Side of a plot, in its own units."""


MAX_NAME = 26
"""Characters of a name beside a dot; more would leave the plot. Its tooltip has the whole."""


@dataclass(frozen=True, slots=True)
class AnswerCell:
    """One judge's answer about a disputed transition."""

    line: str
    kind: str
    right: bool
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Dispute:
    """A transition on which at least one judge differs from the engine."""

    row: LabelledTransition
    truth: str
    answers: list[AnswerCell]
    screens: tuple[ScreenView, ScreenView] | None

    @property
    def wrong(self) -> list[int]:
        """Returns the indices of the judges that differ."""
        return [i for i, s in enumerate(self.answers) if not s.right]


def write_report(path: str | Path, tables: Sequence[EvaluationTable], title: str) -> None:
    """Writes the report of some tables, and nothing beside it."""
    script = (TEMPLATES / "evaluate.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SCREEN]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "fmt_interval": fmt_interval,
        "fmt_share": fmt_share,
        "fmt_number": fmt_number,
        "is_in_play": is_in_play,
        "line": line,
        "calibration_plot": calibration_plot,
    }
    html = environment.get_template("evaluate.html").render(
        title=title,
        style=Markup(screen_style()),
        script=Markup(script),
        digest=digest,
        sections=[_section(table) for table in tables],
    )
    write_file(path, html)


def line(score: Score) -> str:
    """Returns what a line of the table is called."""
    return " · ".join(x for x in (score.judge, score.mode, score.variant) if x)


def _section(table: EvaluationTable) -> dict[str, Any]:
    judges = judges_that_read(table.scores)
    disputed = _disputed(judges)
    modes = sorted({s.mode for s in table.scores})
    return {
        "table": table,
        "paper": _papers(table, modes) if table.is_papers_design else [],
        "judges": judges,
        "differences": list(_differences(table)),
        "kappas": _kappas(table),
        "disputes": _disputes(table, judges, disputed[:MOST]),
        "hidden": max(0, len(disputed) - MOST),
        "quality_plot": quality_plot(table.scores),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """A transition that people and the engine class differently, with everybody's class."""

    row: LabelledTransition
    engine: str
    labels: Mapping[str, str]
    judges: Mapping[str, str]
    screens: tuple[ScreenView, ScreenView] | None


def _differences(table: EvaluationTable) -> Iterator[Difference]:
    if table.agreement is None:
        return
    for d in table.agreement.differences[:MOST]:
        yield Difference(d.row, d.engine, d.labels, d.judges, screen_views(d.row))


def _kappas(table: EvaluationTable) -> dict[str, dict[str, str]]:
    """Returns Cohen's kappa of each rater with the engine and each person, ready to be shown."""
    if table.agreement is None:
        return {}
    shown: dict[str, dict[str, str]] = {}
    for p in table.agreement.pairs:
        shown.setdefault(p.rater, {})[p.other] = f"{fmt_interval(p.kappa)} on {p.n}"
        if p.rater in table.agreement.people and p.other != ENGINE:
            shown.setdefault(p.other, {})[p.rater] = f"{fmt_interval(p.kappa)} on {p.n}"
    return shown


def _papers(table: EvaluationTable, modes: Sequence[str]) -> list[PaperRow]:
    condition = "discovered" if table.matches else "given"
    shown = [m for m in modes if m in ("screen", "crop")] or ["screen", "crop"]
    return [row for mode in shown for row in paper_table(mode, condition)]


def _disputed(judges: Sequence[Score]) -> npt.NDArray[np.int64]:
    """Returns the indices of the transitions that some judge gets wrong, by most first."""
    if not judges:
        return np.zeros(0, np.int64)
    wrong = np.sum([~score.right for score in judges], axis=0)
    return np.argsort(-wrong, kind="stable")[: np.count_nonzero(wrong)]


def _disputes(
    table: EvaluationTable, judges: Sequence[Score], which: npt.NDArray[np.int64]
) -> list[Dispute]:
    """Returns what was said about some transitions, by their indices, in their order."""
    rising = np.sort(which)
    rows = dict(zip(rising.tolist(), with_screens(items_at(table.rows, rising)), strict=True))
    answers = _first_answers(table, judges, set(rows))
    disputes = []
    for i in which.tolist():
        cells = [
            AnswerCell(line(s), _kind(s, i), bool(s.right[i]), answers[k][i])
            for k, s in enumerate(judges)
        ]
        disputes.append(Dispute(rows[i], table.reference.kinds[i], cells, screen_views(rows[i])))
    return disputes


def _first_answers(
    table: EvaluationTable, judges: Sequence[Score], which: Set[int]
) -> list[dict[int, Judgement]]:
    """Returns for each judge its answers, the first time it was asked, about some transitions."""
    names = [(s.judge, s.mode, s.variant) for s in judges]
    answers: dict[tuple[str, str, str], dict[int, Judgement]] = {name: {} for name in names}
    count: Counter[tuple[str, str, str]] = Counter()
    for row in table.judged:
        name = (row.judge, row.mode, row.variant)
        if row.sample == 0 and name in answers:
            if count[name] in which:
                answers[name][count[name]] = row.judgement
            count[name] += 1
    return [answers[name] for name in names]


def _kind(score: Score, i: int) -> str:
    row = score.answers[i]
    if (row == -1).any():
        return "unreadable"
    names = [name for name, yes in zip(score.subgoals, row, strict=True) if yes == 1]
    return " + ".join(names) or "none"


def calibration_plot(score: Score) -> Markup:
    """Returns confidence against frequency as an inline SVG; "" without confidences."""
    if score.calibration is None:
        return Markup("")
    dots = []
    largest = max(b.n for b in score.calibration.curve)
    for b in score.calibration.curve:
        radius = 3 + 5 * math.sqrt(b.n / largest)
        dots.append(_dot(b.confidence, b.frequency, radius, f"{b.n} answers", 0))
    diagonal = f'<path class="rule" d="M0 {PLOT}L{PLOT} 0"/>'
    ticks = {0.0: "0", 0.5: "0.5", 1.0: "1"}
    return _plot("probability said", "share that was so", diagonal + "".join(dots), ticks)


def quality_plot(scores: Sequence[Score]) -> Markup:
    """Returns tokens per transition against MCC as an inline SVG; "" where nothing was paid."""
    priced = [
        (i, s, s.tokens)
        for i, s in enumerate(scores)
        if s.usage.prompt_tokens and not math.isnan(s.metrics["mcc"].value)
    ]
    if not priced:
        return Markup("")
    most = math.log10(max(t for *_, t in priced) * 1.25)
    least = math.log10(min(t for *_, t in priced) / 1.25)
    dots = []
    for i, s, tokens in priced:
        x = (math.log10(tokens) - least) / max(1e-9, most - least)
        y = max(0.0, s.metrics["mcc"].value)
        dots.append(_dot(x, y, 5, f"{line(s)}: {tokens:.0f} tokens, MCC {fmt_share(y)}", i))
        dots.append(_name(x, y, line(s)))
    axis = "tokens per transition (logarithmic)"
    ticks = {0.0: fmt_number(10**least), 1.0: fmt_number(10**most)}
    return _plot(axis, "MCC", "".join(dots), ticks)


def _dot(x: float, y: float, radius: float, text: str, i: int) -> str:
    label = Markup.escape(text)
    return (
        f'<circle class="dot d{i % 6}" cx="{x * PLOT:.1f}" cy="{(1 - y) * PLOT:.1f}"'
        f' r="{radius:.1f}"><title>{label}</title></circle>'
    )


def _name(x: float, y: float, text: str) -> str:
    """Returns the SVG of a dot's name, on the side of the dot where there is room."""
    side = ("end", -8) if x > 0.5 else ("start", 8)
    text = text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"
    return (
        f'<text x="{x * PLOT + side[1]:.1f}" y="{(1 - y) * PLOT + 3:.1f}"'
        f' text-anchor="{side[0]}">{Markup.escape(text)}</text>'
    )


def _plot(x: str, y: str, inner: str, along: Mapping[float, str]) -> Markup:
    """Returns the SVG of axes from 0 to 1 around a drawing.

    Args:
        along: by place on the x axis, what is written below it.
    """
    ticks = "".join(
        f'<text x="-6" y="{(1 - v) * PLOT + 4:.0f}" text-anchor="end">{v:g}</text>'
        f'<path class="grid" d="M0 {(1 - v) * PLOT:.0f}H{PLOT}"/>'
        for v in (0, 0.5, 1)
    ) + "".join(
        f'<text x="{v * PLOT:.0f}" y="{PLOT + 12}" text-anchor="middle">'
        f"{Markup.escape(text)}</text>"
        for v, text in along.items()
    )
    return Markup(
        f'<svg class="plot" viewBox="-42 -12 {PLOT + 60} {PLOT + 44}" role="img"'
        f' aria-label="{Markup.escape(y)} against {Markup.escape(x)}">'
        f'{ticks}<path class="axis" d="M0 0V{PLOT}H{PLOT}"/>{inner}'
        f'<text x="{PLOT / 2}" y="{PLOT + 26}" text-anchor="middle">{Markup.escape(x)}</text>'
        f'<text transform="translate(-32 {PLOT / 2}) rotate(-90)" text-anchor="middle">'
        f"{Markup.escape(y)}</text></svg>"
    )
