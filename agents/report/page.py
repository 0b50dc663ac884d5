"""Writes the report of runs: one HTML file that needs nothing beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from agents.inspection.saliency.explain_page import drawn
from agents.report.curves import Curve, draw_panels, draw_success, subgoal_panels
from agents.report.samples import Sample, samples_of_run
from agents.report.tables import (
    Arm,
    Table,
    arms_of,
    arms_table,
    costs_table,
    label_arms,
    settings_table,
)
from agents.training.run.folder import Run
from calm.cli.typed import typed
from calm.files import write_file
from calm.records import Subgoal
from data.screen.view import screen_style

TEMPLATES = Path(__file__).parent / "templates"
STYLE = TEMPLATES / "page.css"
"""What pages of runs look like."""


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; what is empty is left out."""

    title: str
    lines: Sequence[str] = ()
    """A paragraph each."""
    figure: Markup | None = None
    caption: str = ""
    table: Table | None = None
    folded: bool = False
    """Whether it is shown only when it is opened, and in print."""


@dataclass
class Report:
    """All that a report may show; what is empty is left out."""

    title: str
    summary: Sequence[str] = ()
    arms: Sequence[Arm] = ()
    evaluation: Table | None = None
    evaluation_note: str = ""
    naming: Sequence[str] = ()
    """The subgoals that the judge named itself, and which are scored: a paragraph each."""
    by_subgoal: Table | None = None
    """The evaluation by subgoal."""
    costs: Table | None = None
    samples: Sequence[Sample] = ()
    subgoals: Sequence[Subgoal] = ()
    sections: Sequence[Section] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Renders the report to `path` and returns it."""
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        template = environment.from_string((TEMPLATES / "report.html.j2").read_text("utf-8"))
        curves = curves_of(self.arms)
        html = template.render(
            style=Markup(STYLE.read_text("utf-8").rstrip()),
            title=self.title,
            summary=self.summary,
            curves=Markup(draw_success(curves)) if curves else "",
            resumed=any(curve.resumed for curve in curves),
            arms=arms_table(self.arms) if self.arms else None,
            sections=self.sections,
            evaluation=self.evaluation,
            evaluation_note=self.evaluation_note,
            naming=self.naming,
            by_subgoal=self.by_subgoal,
            costs=self.costs,
            samples=self.samples,
            screen_style=Markup(screen_style()) if self.samples else "",
            subgoals=self.subgoals,
            settings=settings_table(self.arms) if self.arms else None,
            provenance=self.provenance,
        )
        write_file(path, html)
        return path


def resumptions(arm: Arm) -> list[int]:
    """Returns the steps at which runs of an arm were resumed."""
    return sorted(step for run in arm.runs for step in run.resumed_at)


def curves_of(arms: Sequence[Arm]) -> list[Curve]:
    """Returns the metrics of arms, as they are drawn."""
    return [Curve(arm.label, [run.metrics() for run in arm.runs], resumptions(arm)) for arm in arms]


def report_runs(runs: Sequence[Run], path: Path, labels: Sequence[str] = ()) -> Path:
    """Writes a report of runs, finished or not; those that differ only in seed share a colour.

    Args:
        runs: to report.
        path: of the page.
        labels: what to call agents instead of their names, see `label_arms`.
    """
    arms = label_arms(arms_of(runs), labels)
    tasks = sorted({run.config.task for run in runs})
    titled = [(run, arm.title(run)) for arm in arms for run in arm.runs]
    sections = [
        subgoals_over_time(arms),
        *(
            section
            for run, title in titled
            for section in (*explained(run, title), replayed(run, title, path.parent))
        ),
        closer(titled),
    ]
    return Report(
        title=f"Runs on {', '.join(tasks)}",
        arms=arms,
        costs=costs_table(arms),
        samples=[sample for run, title in titled for sample in samples_of_run(run, title)],
        sections=[section for section in sections if section is not None],
        provenance=started_with(runs),
    ).write(path)


def subgoals_over_time(arms: Sequence[Arm]) -> Section | None:
    """Returns a section with a chart a subgoal; None where nobody has counted any."""
    curves = curves_of(arms)
    panels = subgoal_panels(curves)
    if not panels:
        return None
    return Section(
        "Subgoals on held-out levels",
        figure=Markup(draw_panels(curves, panels, "subgoals", share=True)),
        caption=" Share of episodes that achieved each at all, by the engine's truth where that is"
        " known. One line a seed.",
    )


def closer(titled: Sequence[tuple[Run, str]]) -> Section:
    """Returns a section with the commands that show how runs play and where they look.

    Args:
        titled: runs, each with its title.
    """
    command = Markup("<code>{}</code>")
    rows = [
        (
            title,
            command.format(typed("replay", run.folder)),
            command.format(typed("explain", run.folder)),
            command.format(typed("watch", run.folder)),
        )
        for run, title in titled
    ]
    columns = ("run", "play its episodes", "see where it looks", "follow it")
    return Section("Look closer", table=Table(columns, rows), folded=True)


def started_with(runs: Sequence[Run]) -> dict[str, str]:
    """Returns versions, commit and machine of runs; where they differ, all of them."""
    of_each = [run.started_with for run in runs]
    return {
        name: ", ".join(dict.fromkeys(record[name] for record in of_each if name in record))
        for name in dict.fromkeys(name for record in of_each for name in record)
    }


def explained(run: Run, title: str) -> list[Section]:
    """Returns sections on where the agent looks; none if `calm explain` has not drawn it."""
    if (drawings := drawn(run.folder)) is None:
        return []
    tables = [
        Section(f"Where {title} looks: {name}", table=Table(columns, rows))
        for name, columns, rows in drawings.tables
    ]
    return [Section(f"Where {title} looks", drawings.lines, drawings.images), *tables]


def replayed(run: Run, title: str, beside: Path) -> Section | None:
    """Returns a section that links the run's recorded episodes; None if there are none.

    Args:
        run: whose episodes are linked.
        title: of the run.
        beside: the folder of the report, from which the link leads.
    """
    page = run.folder / "replay.html"
    if not page.exists():
        return None
    link = quote(Path(os.path.relpath(page, beside)).as_posix())
    return Section(
        f"Episodes of {title}",
        figure=Markup('<a href="{}">Play them</a>').format(link),
        caption=" Held-out levels, with judged subgoals, credit and value beside the map.",
    )
