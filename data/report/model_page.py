"""The page of what models answered: a table for each set and description, beside the paper's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from calm.files import write_file
from calm.text import clean
from data.evaluation.model_cells import CellEntry, MeasuredCell, by_model, mistakes
from data.evaluation.paper import paper_table
from data.report.terminal import fmt_interval, fmt_number, fmt_share
from data.scoring.score import Score

PAGE, NUMBERS = "table.md", "table.json"
_PAPER = ("f1", "accuracy", "precision", "recall")
_LONGEST = 160  # characters of a model's words that are shown


def write_model_page(folder: Path, measured: Sequence[MeasuredCell]) -> None:
    """Writes the page as `table.md` and its numbers as `table.json` into a folder."""
    numbers = {"cells": [one.to_dict() for one in measured]}
    write_file(folder / NUMBERS, json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    write_file(folder / PAGE, model_page(measured))


def model_page(measured: Sequence[MeasuredCell]) -> str:
    """Returns the page in Markdown."""
    parts = [
        "# What each model answered, cell by cell",
        "Written by `calm models table`; [README.md](README.md) says what it means. Every figure is"
        " a replay of the answers in this folder. `fold`: where yes begins is learned on each half"
        " of the texts and applied to the other; else yes is what is likelier, and nothing is"
        " learned. Intervals are 95 %, by episode. Tokens and seconds are a distinct description's,"
        " of which tokens that the server remembered stand in brackets; the machine had other work,"
        " so seconds compare forms roughly at best.",
    ]
    for part in dict.fromkeys(one.cell.part for one in measured):
        of_part = [one for one in measured if one.cell.part == part]
        parts.append(f"## {part}")
        if part == "keyroom-v1 balanced":
            parts += ["The paper's design, as the paper counts (any subgoal, unreadable is no).",
                      _papers_table(of_part)]  # fmt: skip
        parts.append(_figures(of_part))
    parts += _without_subgoals(measured)
    parts += _mistakes(measured)
    parts += _missing(measured)
    return "\n\n".join(parts) + "\n"


def _title(cell: CellEntry) -> str:
    tasks = f", {', '.join(cell.tasks)}" if cell.tasks else ""
    return f"{cell.mode}, {cell.subgoals}{tasks}"


def _form(cell: CellEntry) -> str:
    return f"{cell.form}, fold" if cell.fold else cell.form


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _answered(measured: Iterable[MeasuredCell]) -> list[tuple[MeasuredCell, Score]]:
    return [(one, one.score) for one in measured if one.score is not None]


def _papers_table(measured: Sequence[MeasuredCell]) -> str:
    rows = [
        [row.annotator, f"{row.mode}, {row.subgoals}", "booleans",
         *(fmt_share(getattr(row, name)) for name in _PAPER), "256"]
        for row in paper_table()
    ]  # fmt: skip
    rows += [
        [f"**{one.model.name}**", _title(one.cell), _form(one.cell),
         *(fmt_share(score.metrics[f"paper_{name}"].value) for name in _PAPER), str(score.n)]
        for one, score in _answered(measured)
    ]  # fmt: skip
    return _table(
        ["annotator", "reads, subgoals", "form", "F1", "accuracy", "precision", "recall", "n"], rows
    )


def _figures(measured: Sequence[MeasuredCell]) -> str:
    header = [
        "model", "reads, subgoals", "form", "transitions (texts)", "MCC, any subgoal",
        "MCC, every pair", "all right", "least recall (below .5)", "unreadable", "tokens",
        "seconds",
    ]  # fmt: skip
    rows = []
    for one in measured:
        if one.no_subgoals:
            which = [one.model.name, _title(one.cell), _form(one.cell), "named no subgoals"]
            rows.append(which + ["–"] * (len(header) - len(which)))
        if one.table is None:
            continue
        score = one.table.scores[0]
        texts = len({(r.transition.task, r.transition.texts[score.mode]) for r in one.table.rows})
        usage = score.usage
        readable = sum(score.verdicts.get(v, 0) for v in ("ok", "repaired"))
        recalls = [float(of["recall"].value) for of in score.subgoals.values()]
        known = [r for r in recalls if not np.isnan(r)]
        rows.append([
            one.model.name,
            _title(one.cell),
            _form(one.cell),
            f"{score.n} ({texts})",
            fmt_interval(score.metrics["mcc"]),
            fmt_interval(score.metrics["mcc_subgoals"]),
            fmt_interval(score.metrics["exact"]),
            f"{fmt_share(min(known))} ({sum(r < 0.5 for r in known)} of {len(known)})"
            if known else "–",
            fmt_share(1 - readable / score.n),
            f"{fmt_number((usage.prompt_tokens + usage.completion_tokens) / texts)}"
            f" ({fmt_number(usage.cached_tokens / texts)})",
            fmt_number(usage.seconds / texts),
        ])  # fmt: skip
    return _table(header, rows)


def _without_subgoals(measured: Sequence[MeasuredCell]) -> list[str]:
    """Returns what models answered that named no subgoals, in their words, once for each task."""
    lines = dict.fromkeys(
        f"- {one.model.name}, {task}: none of {nothing.answers} answers can be used; the last"
        f" (`{_short(nothing.fault)}`): `{_short(nothing.words)}`"
        for one in measured
        for task, nothing in one.no_subgoals.items()
    )
    return ["## No subgoals of their own", "\n".join(lines)] if lines else []


def _mistakes(measured: Sequence[MeasuredCell]) -> list[str]:
    parts = ["## What they get wrong", "What costs most transitions first, by description."]
    for name, cells in by_model([one for one in measured if one.cell.examples]).items():
        for one in cells:
            if one.table is None:
                continue
            lines = [f"**{name}**, {one.cell.part}, {_title(one.cell)}, {_form(one.cell)}"]
            wrong = mistakes(one.table)
            for mistake in wrong:
                text = mistake.text.replace("\n", " / ")
                answer = "yes" if mistake.said_yes else "no"
                words = next(
                    (w for w in mistake.words.splitlines() if w.startswith(mistake.subgoal)),
                    mistake.words,
                )
                shown = f" It said: `{_short(words)}`" if one.cell.form == "explain" else ""
                lines.append(
                    f"- {answer} to *{mistake.subgoal}* ({mistake.rows} transitions): "
                    f"`{_short(text)}`{shown}"
                )
            lines += [] if wrong else ["- nothing"]
            parts.append("\n".join([lines[0], "", *lines[1:]]))
    return parts


def _short(text: str) -> str:
    """Returns untrusted text as it may stand between backticks: on one line, and not too long."""
    plain = clean(text).replace("`", "'").replace("\n", " / ").strip() or " "
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def _missing(measured: Sequence[MeasuredCell]) -> list[str]:
    absent = [one for one in measured if not one.answered]
    if not absent:
        return []
    lines = [
        f"- {name}: "
        + "; ".join(f"{o.cell.part}, {_title(o.cell)}, {_form(o.cell)}" for o in cells)
        for name, cells in by_model(absent).items()
    ]
    return ["## Not asked", "\n".join(lines)]
