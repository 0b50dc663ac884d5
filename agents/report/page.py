"""The report of runs: one HTML file that needs nothing beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from agents.inspection.explain_page import drawn
from agents.report.curves import Curve, draw_success
from agents.report.reward import reward_in_words
from agents.training.run_folder import Row, Run
from calm.files import write_file
from calm.records import Subgoal

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"


@dataclass(frozen=True)
class Table:
    """Names of columns, and rows of cells that are ready to be shown."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Sample:
    """One judged transition as the report shows it."""

    title: str
    before: Markup
    """The map before, as HTML that is already escaped."""
    after: Markup
    text: str
    """What the judge read."""
    judged: Sequence[str]
    """Names of the subgoals that the judge said were achieved."""
    truth: Sequence[str]


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed."""

    label: str
    runs: Sequence[Run]
    reward: str = ""
    """What the arm was trained on, in words."""

    def title(self, run: Run) -> str:
        """What one of its runs is called."""
        return f"{self.label}, seed {run.config.seed}"


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
    """Shown only when asked for, and in print."""


@dataclass
class Report:
    """Everything that a report may show; what is empty is left out."""

    title: str
    summary: Sequence[str] = ()
    arms: Sequence[Arm] = ()
    evaluation: Table | None = None
    evaluation_note: str = ""
    naming: Sequence[str] = ()
    """What the judge named itself, and what of it the evaluation scores: a paragraph each."""
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
        template = environment.from_string(TEMPLATE.read_text("utf-8"))
        curves = [
            Curve(arm.label, [run.metrics() for run in arm.runs], resumptions(arm))
            for arm in self.arms
        ]
        html = template.render(
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
            subgoals=self.subgoals,
            settings=settings_table(self.arms) if self.arms else None,
            provenance=self.provenance,
        )
        write_file(path, html)
        return path


def resumptions(arm: Arm) -> list[int]:
    """Steps at which runs of an arm were resumed."""
    return sorted(step for run in arm.runs for step in run.resumed_at)


def steps_to(rows: Sequence[Row], rate: float) -> int | None:
    """Steps at the first evaluation with success of at least `rate`; None if there was none."""
    return next((row["steps"] for row in rows if row["success"] >= rate), None)


def percent(rate: float) -> str:
    """A share in [0, 1] as a whole percentage."""
    return f"{100 * rate:.0f} %"


def arms_table(arms: Sequence[Arm]) -> Table:
    """Final success with its interval, when 90 % was first measured, and the rate of training."""
    rows = []
    for arm in arms:
        for run in arm.runs:
            metrics = run.metrics()
            if not metrics:
                continue
            last = metrics[-1]
            reached = steps_to(metrics, 0.9)
            rows.append(
                (
                    arm.label,
                    arm.reward,
                    run.config.seed,
                    f"{last['steps']:,}",
                    f"{percent(last['success'])} [{percent(last['success_low'])},"
                    f" {percent(last['success_high'])}]",
                    f"{last['episodes']}",
                    f"{reached:,}" if reached is not None else "not reached",
                    f"{last['test_return_env']:.2f}",
                    f"{last['steps'] / max(last['seconds'], 1e-9):,.0f}",
                )
            )
    return Table(
        (
            "agent",
            "reward it trains on",
            "seed",
            "steps",
            "success, held-out levels [95 %]",
            "episodes",
            "steps to 90 %",
            "return on r_env",
            "steps/s",
        ),
        rows,
    )


def settings_table(arms: Sequence[Arm]) -> Table:
    """Every setting, one column an arm; a setting that all share is written once."""
    configs = [
        arm.runs[0].config.model_dump(mode="json") | {"seed": [r.config.seed for r in arm.runs]}
        for arm in arms
        if arm.runs
    ]
    rows = []
    for name in configs[0] if configs else ():
        values = [plain(config[name]) for config in configs]
        shared = len(set(values)) == 1 and len(values) > 1
        rows.append(
            (name, *([f"{values[0]} (all)"] + [""] * (len(values) - 1) if shared else values))
        )
    return Table(("setting", *(arm.label for arm in arms if arm.runs)), rows)


def plain(value: object) -> str:
    """A setting as a cell shows it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def arms_of(runs: Sequence[Run]) -> list[Arm]:
    """Runs that differ only in their seed together; arms of one name are told apart by settings."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        settings = json.dumps(run.config.model_dump(mode="json", exclude={"seed"}))
        groups.setdefault(settings, []).append(run)
    named = [
        (members[0].config.name.rsplit("-seed", 1)[0], json.loads(settings))
        for settings, members in groups.items()
    ]
    labels = [
        ", ".join([name, *_differing(settings, [s for other, s in named if other == name])])
        for name, settings in named
    ]
    return [
        Arm(label, members, reward_in_words(members[0].config))
        for label, members in zip(labels, groups.values(), strict=True)
    ]


def _differing(settings: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> list[str]:
    """FIELD=VALUE of the settings that are not the same in all."""
    return [
        f"{field}={plain(value)}"
        for field, value in settings.items()
        if any(other[field] != value for other in among)
    ]


def report_runs(runs: Sequence[Run], path: Path) -> Path:
    """A report of finished or unfinished runs; those that differ only in seed share a colour."""
    arms = arms_of(runs)
    tasks = sorted({run.config.task for run in runs})
    return Report(
        title=f"Runs on {', '.join(tasks)}",
        arms=arms,
        costs=costs_table(arms),
        sections=[
            section
            for arm in arms
            for run in arm.runs
            for section in (
                explained(run, arm.title(run)),
                replayed(run, arm.title(run), path.parent),
            )
            if section is not None
        ],
        provenance=started_with(runs),
    ).write(path)


def started_with(runs: Sequence[Run]) -> dict[str, str]:
    """What runs were started with; where they differ, all of it."""
    all_of = [run.started_with for run in runs]
    return {
        name: ", ".join(dict.fromkeys(told[name] for told in all_of if name in told))
        for name in dict.fromkeys(name for told in all_of for name in told)
    }


def explained(run: Run, title: str) -> Section | None:
    """Where the agent looks, if `calm explain` has drawn it."""
    if (found := drawn(run.folder)) is None:
        return None
    lines, figure = found
    return Section(f"Where {title} looks", lines, figure)


def replayed(run: Run, title: str, beside: Path) -> Section | None:
    """A link to the run's episodes, if `calm replay` has recorded some; as seen from `beside`."""
    page = run.folder / "replay.html"
    if not page.exists():
        return None
    link = quote(Path(os.path.relpath(page, beside)).as_posix())
    return Section(
        f"Episodes of {title}",
        figure=Markup('<a href="{}">Play them</a>').format(link),
        caption=" Held-out levels, with judged subgoals, credit and value beside the map.",
    )


def costs_table(arms: Sequence[Arm]) -> Table | None:
    """What each run asked of its judge; None where no run had one."""
    rows = []
    for title, run in [(arm.title(run), run) for arm in arms for run in arm.runs]:
        last = (run.metrics() or [{}])[-1]
        if last.get("asked") is None:
            continue
        cost = last["cost"]
        rows.append(
            (
                title,
                f"{last['asked']:,}",
                f"{last['judged']:,}",
                f"{100 * (1 - last['asked'] / max(1, last['judged'])):.2f} %",
                f"{last['unreadable']:,}",
                f"{last.get('pending') or 0:,}",
                f"{last.get('steps_unreadable') or 0:,} + {last.get('steps_pending') or 0:,}",
                f"{last['requests']:,}",
                f"{last['prompt_tokens']:,} + {last['completion_tokens']:,}",
                "price unknown" if cost is None else f"$ {cost:.4f}",
            )
        )
    columns = (
        "run",
        "distinct questions",
        "transitions judged",
        "answered from memory",
        "unreadable",
        "pending",
        "steps trained on without an answer: unreadable + pending",
        "requests",
        "tokens in + out",
        "cost",
    )
    return Table(columns, rows) if rows else None
