"""Writes a study's results for readers: the report, and tables, figures and a README.

results/README.md  success.svg  final.svg  repeats.svg (and NAME-narrow.svg, for telephones)
    summary.md  success.csv
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from markupsafe import Markup

from agents.report.page import Report, Section
from agents.report.tables import Table
from agents.study.equal_time import NOTE, EqualTime, at_equal_time, equal_time_table
from agents.study.figures import draw_curves, draw_finals, draw_repeats
from agents.study.findings import Findings, find
from agents.study.plan import Plan
from agents.study.results import Result
from agents.study.statement import caveat, statement
from agents.study.tables import (
    comparison_table,
    cost_table,
    farming_table,
    fmt_count,
    markdown,
    origin_table,
    settings_table,
    subgoal_table,
    success_table,
    summary_table,
)
from calm.files import write_file

HOW = (
    "Success is the share of levels finished that training never saw, on the environment's own"
    " reward. IQM: mean over the middle half of the seeds (of three, their mean); in brackets 95 %"
    " intervals by bootstrap over seeds, or Wilson's over all episodes where all seeds agree; over"
    " all tasks the IQM of all their seeds, drawn within each task, where an arm has as many on"
    " each. Actions are sampled, as in training. An agent with a judge also observes which subgoals"
    " it was told to have achieved in the episode, on unseen levels too."
)
BETTER = (
    "The chance that a seed of the first does better than one of the second (a tie counts half), on"
    " the mean success over the steps and on success at the end; over several tasks the mean, with"
    " seeds drawn anew within each task. p: permutation test of that chance, two-sided, seeds split"
    " anew within each task. Ahead or behind: the interval leaves out 1/2 and p is at most 0.05, or"
    " as small as so few seeds can make it (0.1 with three against three: a false verdict in ten)."
    " Fewer than three seeds give none."
)
SUMMARY = (
    "In each cell: success at the end, and the step at which 90 % was first measured in the median"
    " seed, or in the first of those seeds that got there."
)
HEARD = (
    "Heard: what a noisy judge's precision and recall came to in each seed's own training. Its"
    " errors are fixed by event at the rates of reference play, and an agent meets other events."
)
REPEATS = (
    "Achievements of a subgoal beyond its first, per episode of the last evaluation, by the truth"
    " and by the judge. Whoever goes about makes repeats; farming is more of them, for the steps"
    " made, than arms show that nothing pays for them. Paid: credit of an episode times its weight;"
    " of `potential` the plain sum, below 0 where progress is held long, since gamma is below 1."
)


def write_study(
    plan: Plan, results: Sequence[Result], folder: Path, report: Path, command: str = ""
) -> None:
    """Writes `report` and, into the results' folder, figures, tables and a README.

    Args:
        plan: of the study.
        results: its finished cells, at least one.
        folder: of the cells' results.
        report: the HTML file.
        command: the command line of the study, for its reader.
    """
    findings = find(plan, results)
    timed = at_equal_time(plan, findings) if plan.by_seconds else None
    figures = _figures(plan, findings)
    for name, svg in figures.items():
        _write(folder / f"{name}.svg", svg)
    _write(folder / "summary.md", readme_table(plan, findings))
    _write(folder / "success.csv", _csv(success_table(plan, findings)))
    _write(folder / "README.md", _readme(plan, findings, timed, results, command))
    _report(plan, findings, timed, results, figures, command).write(report)


def readme_table(plan: Plan, findings: Findings) -> str:
    """Returns the table for the project's README: agents against tasks, in markdown."""
    return markdown(summary_table(plan, findings))


def _figures(plan: Plan, findings: Findings) -> dict[str, str]:
    """Returns the SVG of each figure by the name of its file, wide and narrow.

    Arms are drawn in the plan's groups; where no group has an arm with results, in one of all.
    """
    trained = {arm for _, arm in findings.arms}
    groups = {
        title: [a for a in arms if a in trained]
        for title, arms in plan.figures.items()
        if trained & set(arms)
    } or {"agents": [a for a in plan.arms if a in trained]}
    return {
        f"{name}{'-narrow' if narrow else ''}": draw(narrow)
        for narrow in (False, True)
        for name, draw in {
            "success": partial(draw_curves, plan, findings, groups),
            "final": partial(draw_finals, plan, findings),
            "repeats": partial(draw_repeats, plan, findings, groups),
        }.items()
    }


def _picture(name: str, alt: str) -> str:
    """Returns a figure in markdown: the narrow one on a telephone."""
    return (
        f'<picture><source media="(max-width: 600px)" srcset="{name}-narrow.svg">'
        f'<img alt="{alt}" src="{name}.svg"></picture>'
    )


def _either(figures: Mapping[str, str], name: str) -> Markup:
    """Returns a figure in a page: the narrow one on a telephone."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(
        Markup(figures[name]), Markup(figures[f"{name}-narrow"])
    )


def _write(path: Path, text: str) -> None:
    """Writes a text that ends with a newline."""
    write_file(path, text if text.endswith("\n") else text + "\n")


def _csv(table: Table) -> str:
    """Returns a table as CSV, the columns' names first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return out.getvalue()


def _origins(results: Sequence[Result]) -> list[str]:
    """Returns a line for each commit and machine, with the number of cells trained there."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        groups.setdefault((r.provenance["commit"], r.provenance["machine"]), []).append(r)
    return [
        f"{fmt_count(len(cells), 'cell')} at commit {commit} on {machine}, started"
        f" {min(c.provenance['started'] for c in cells)} to"
        f" {max(c.provenance['started'] for c in cells)}"
        for (commit, machine), cells in groups.items()
    ]


def _readme(
    plan: Plan,
    findings: Findings,
    timed: EqualTime | None,
    results: Sequence[Result],
    command: str,
) -> str:
    """Returns the README of the results' folder, in markdown."""
    lines = [f"# {plan.title}", "", "Written by the study itself; do not edit.", ""]
    lines += [_picture("success", "Success on held-out levels"), ""]
    lines += [HOW, caveat(findings), "", readme_table(plan, findings)]
    lines += [
        SUMMARY,
        "",
    ]
    for task, sentences in statement(plan, findings, timed).items():
        lines += [f"## {task}", "", *(f"- {s}" for s in sentences), ""]
    lines += ["## Success", "", markdown(success_table(plan, findings))]
    lines += [_picture("final", "Success at the end"), ""]
    lines += ["## Who does better", "", BETTER, "", markdown(comparison_table(plan, findings))]
    for heading, text, table in _by_seconds(plan, findings, timed):
        lines += [f"## {heading}", "", text, "", markdown(table)]
    lines += ["## Repeated subgoals", "", REPEATS, "", markdown(farming_table(plan, findings))]
    lines += [_picture("repeats", "Repeated subgoals"), ""]
    lines += ["## What the judges were asked", "", HEARD, "", markdown(cost_table(plan, findings))]
    lines += ["## Where it comes from", ""]
    if command:
        lines += ["```console", f"$ {command}", "```", ""]
    lines += [f"- {origin}" for origin in _origins(results)]
    lines += ["", "Every cell's settings and versions are in cells.json, every evaluation in"]
    lines += ["cells.parquet, every subgoal's counts in subgoals.parquet."]
    return "\n".join(lines)


def _by_seconds(
    plan: Plan, findings: Findings, timed: EqualTime | None
) -> list[tuple[str, str, Table]]:
    """Returns heading, text and table of each section at equal time; none unless planned."""
    if timed is None:
        return []
    better = comparison_table(plan, findings, timed.pairs, "the time")
    return [
        ("Success at equal time", NOTE, equal_time_table(plan, timed)),
        ("Who does better at equal time", "As above, after as many seconds.", better),
    ]


def _report(
    plan: Plan,
    findings: Findings,
    timed: EqualTime | None,
    results: Sequence[Result],
    figures: dict[str, str],
    command: str,
) -> Report:
    """Returns the study's report, section by section."""
    statements = [
        Section(f"What it shows: {task}", sentences)
        for task, sentences in statement(plan, findings, timed).items()
    ]
    sections = [
        Section(
            "Learning",
            figure=_either(figures, "success"),
            caption="Success on unseen levels: IQM over seeds, bands are 95 % bootstrap intervals."
            f" {SUMMARY}",
            table=summary_table(plan, findings),
        ),
        *statements,
        Section(
            "Success",
            figure=_either(figures, "final"),
            caption="At the end: every seed a dot, the IQM a bar across, its interval a line.",
            table=success_table(plan, findings),
        ),
        Section("Who does better", [BETTER], table=comparison_table(plan, findings)),
        *(
            Section(heading, [text], table=table)
            for heading, text, table in _by_seconds(plan, findings, timed)
        ),
        Section(
            "Reward hacking: repeated subgoals",
            [REPEATS],
            figure=_either(figures, "repeats"),
            caption="Repeats per 100 steps in the evaluations, by the engine's truth.",
            table=farming_table(plan, findings),
        ),
        Section("Repeats of each subgoal", table=subgoal_table(plan, findings), folded=True),
        Section("What the judges were asked", [HEARD], table=cost_table(plan, findings)),
        Section("Settings", table=settings_table(plan, findings), folded=True),
        Section("Where each cell comes from", table=origin_table(results), folded=True),
    ]
    call = {"command": command} if command else {}
    origins = {f"origin {i + 1}:": line for i, line in enumerate(_origins(results))}
    return Report(
        title=plan.title,
        summary=[HOW, caveat(findings)],
        sections=sections,
        provenance=call | origins,
    )
