"""Makes tables of runs: success of each agent, its settings, the cost of its judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.report.reward import reward_in_words
from agents.training.run.folder import Row, Run
from calm.errors import UsageError, unknown


@dataclass(frozen=True)
class Table:
    """Names of columns, and rows of cells that are ready to be shown."""

    columns: Sequence[str]
    """Names."""
    rows: Sequence[Sequence[object]]
    """Cells of each row, as many as columns."""


@dataclass(frozen=True)
class Arm:
    """Runs that differ only in their seed."""

    label: str
    """Its name in tables and legends."""
    runs: Sequence[Run]
    """One a seed."""
    reward: str = ""
    """The reward that it is trained on, in words."""

    def title(self, run: Run) -> str:
        """Returns the title of one of its runs."""
        return f"{self.label}, seed {run.config.seed}"


def steps_to(rows: Sequence[Row], rate: float) -> int | None:
    """Returns the steps at the first evaluation with success of `rate` or more, None if none."""
    return next((row["steps"] for row in rows if row["success"] >= rate), None)


def percent(rate: float) -> str:
    """Returns a share in [0, 1] as a whole percentage."""
    return f"{100 * rate:.0f} %"


def arms_table(arms: Sequence[Arm]) -> Table:
    """Returns final success with its interval, when 90 % was first measured, steps a second."""
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
                    _parts(last),
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
            "return in training: reward + credit + bonus, before weights",
            "steps/s",
        ),
        rows,
    )


def _parts(row: Row) -> str:
    """Returns the mean earnings of the last training episodes: reward + credit + bonus."""
    names = ("return_env", "return_credit", "return_bonus")
    parts = [row.get(name) for name in names]
    return " + ".join("–" if part is None else f"{part:.2f}" for part in parts)


def settings_table(arms: Sequence[Arm]) -> Table:
    """Returns every setting, one column an arm; a setting that all share is written once."""
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
    """Returns a setting as a cell shows it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def arms_of(runs: Sequence[Run]) -> list[Arm]:
    """Groups runs that differ only in their seed; where names are alike, labels have settings."""
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


def label_arms(arms: Sequence[Arm], labels: Sequence[str]) -> list[Arm]:
    """Returns the same arms under other labels.

    Args:
        arms: with the labels that they have now.
        labels: `NAME=TEXT` each, where NAME is an arm's label, or the path or name of the folder of
            one of its runs. Both may hold `=`: the shortest NAME that there is counts.

    Raises:
        UsageError: there is no such arm; lists those there are.
    """
    relabelled = list(arms)
    for pair in labels:
        words = pair.split("=")
        splits = [("=".join(words[:i]), "=".join(words[i:])) for i in range(1, len(words))]
        if not splits or not all(part.strip() for part in (splits[0][0], splits[-1][1])):
            raise UsageError(f"--label takes NAME=TEXT, got {pair!r}")
        for name, text in splits:
            which = [i for i, arm in enumerate(arms) if name in _names(arm)]
            if which:
                for i in which:
                    relabelled[i] = replace(arms[i], label=text)
                break
        else:
            raise unknown("agent", splits[0][0], [arm.label for arm in arms])
    return relabelled


def _names(arm: Arm) -> set[str]:
    """Returns what an arm can be named by."""
    folders = [run.folder for run in arm.runs]
    return {arm.label, *(f.name for f in folders), *map(str, folders)}


def _differing(settings: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns FIELD=VALUE of the settings that are not the same in all."""
    return [
        f"{field}={plain(value)}"
        for field, value in settings.items()
        if any(other[field] != value for other in among)
    ]


def in_questions(asked: float, by_student: float) -> str:
    """Returns how many questions a judge was asked, and of them those that a student answered.

    >>> in_questions(1204, 0), in_questions(1204, 977)
    ('1,204', '1,204, of which a student answered 977 itself')
    """
    words = f"{asked:,.0f}"
    return f"{words}, of which a student answered {by_student:,.0f} itself" if by_student else words


def costs_table(arms: Sequence[Arm]) -> Table | None:
    """Returns the judge's questions, answers and cost by run; None where no run had a judge."""
    rows = []
    for title, run in [(arm.title(run), run) for arm in arms for run in arm.runs]:
        last = (run.metrics() or [{}])[-1]
        if last.get("asked") is None:
            continue
        cost = last["cost"]
        rows.append(
            (
                title,
                in_questions(last["asked"], last.get("by_student") or 0),
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
