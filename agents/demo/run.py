"""The main job once, end to end: collect, judge, score the judge, train three agents, report.

Every stage leaves its product in the demo's folder, so an interrupted demo goes on where it was:

    plan.json  subgoals.yaml  transitions.parquet  evaluation.json  store.sqlite
    agents/NAME/ (a run each)  success.svg  report.html  outcome.json
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from agents.data_sets.collect import collect_rows, write_rows
from agents.report.curves import Curve, draw_success
from agents.report.page import Arm, Report, Table, costs_table, percent, steps_to
from agents.report.samples import pick_samples
from agents.training.config import TrainConfig, make_config
from agents.training.progress import train_with_progress
from agents.training.run_folder import Run
from calm.decompose import decompose
from calm.errors import UsageError
from calm.files import write_file
from calm.judges import asks_model, make_judge
from calm.records import Subgoal, Task
from calm.store.store import Store
from calm.subgoals import write_subgoals
from data.evaluation.run import EvaluationTable, evaluate
from data.evaluation.subgoal_match import match
from data.parquet import read_transitions
from data.report.terminal import fmt_interval, fmt_share
from data.schema import LabelledTransition
from envs.tasks import task as find_task

SUBGOALS = "subgoals.yaml"
WEIGHT = 0.3
"""What a subgoal pays; MiniHack pays 1 for the stairs."""


@dataclass(frozen=True)
class DemoPlan:
    """What a demo is asked to do."""

    judge: str = "rules"
    steps: int = 300_000
    """For each agent."""
    episodes: int = 20
    """Collected from each player."""
    seed: int = 0
    task: str = "MiniHack-KeyRoom-S5-v0"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the agents, where they differ from the demo's; see `agents.training.config`."""

    def arms(self, subgoals: str) -> list[tuple[str, str, TrainConfig]]:
        """Name, the reward in words, and settings of the three agents.

        The first two differ by the penalty alone, the last two by the judge: its credit,
        and that the agent observes which subgoals it was told to have achieved.
        """
        values = {
            "task": self.task,
            "judge": "none",
            "steps": self.steps,
            "seed": self.seed,
            "weight": WEIGHT,
            "eval_every": max(1, self.steps // 12),
            "features_dim": 128,  # enough for one small room, and quick on two cores
        }
        common = make_config(values | dict(self.settings))
        shaped = {"judge": self.judge, "subgoals": subgoals}
        return [
            (
                "unshaped, MiniHack's reward",
                "1 for the stairs, -0.01 for every step in which no game time passes",
                common.model_copy(update={"penalty": True}),
            ),
            (
                "unshaped, no idle penalty",
                "1 for the stairs",
                common,
            ),
            (
                f"shaped by {self.judge}",
                f"1 for the stairs, {common.weight} for each subgoal judged achieved, once an"
                " episode",
                common.model_copy(update=shaped),
            ),
        ]


@dataclass
class Outcome:
    """What a demo showed."""

    judge: str
    transitions: int
    evaluation: dict[str, Any]
    agents: list[dict[str, Any]]
    asked: int
    """Distinct questions put to the judge, by evaluation and training together."""
    seconds: dict[str, float] = field(default_factory=dict)
    report: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    """Commit, machine, versions and start."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The summary in ten lines or fewer."""
        told = [
            f"Judge {self.judge}: {self.transitions} transitions labelled;"
            f" {self.asked} distinct questions asked in all."
        ]
        told += [
            f"  {s['judge']:<12} MCC {_figure(s, 'mcc')}  precision {_figure(s, 'precision')}"
            f"  recall {_figure(s, 'recall')}  F1 {_figure(s, 'f1')}"
            for s in self.evaluation["scores"]
        ]
        told += [
            f"  {a['label']:<26} success {percent(a['success']):>5} [{percent(a['low'])},"
            f" {percent(a['high'])}]  90 % at"
            f" {'not reached' if a['to_90'] is None else format(a['to_90'], ','):>11}"
            f"  {a['steps_per_s']:,.0f} steps/s"
            for a in self.agents
        ]
        told.append(verdict(self.agents))
        told.append(f"Report: {self.report} ({sum(self.seconds.values()):.0f} s in all)")
        return told


def _figure(score: dict[str, Any], name: str) -> str:
    value = score["metrics"][name]["value"]
    return "  - " if value is None else f"{value:.2f}"


def verdict(agents: Sequence[dict[str, Any]]) -> str:
    """What the three agents showed, in one plain sentence that follows from their figures."""
    own, fair, shaped = agents

    def reached(agent: dict[str, Any]) -> str:
        return "never" if agent["to_90"] is None else f"after {agent['to_90']:,} steps"

    told = (
        f"90 % success on held-out levels: with credit {reached(shaped)}, without credit"
        f" {reached(fair)}; without credit and with MiniHack's penalty for idle steps"
        f" {reached(own)}."
    )
    if fair["to_90"] is not None and own["to_90"] is None:
        told += " So here the penalty, not missing credit, is what stops the plain agent."
    return told


def run_demo(
    plan: DemoPlan, out: Path, *, base_url: str | None, fresh: bool, console: Console
) -> Outcome:
    """Runs every stage that has not run yet and returns what the demo showed."""
    make_judge(plan.judge, base_url=base_url)  # what can't be used is said before anything is done
    plan.arms("given")
    _make_room(plan, out, fresh, console)
    seconds = _read_json(out / "seconds.json", {})
    task = find_task(plan.task)
    with Store(out / "store.sqlite") as store:
        started = time.perf_counter()
        rows = _collected(plan, out, console)
        subgoals = _subgoals(plan, task, out, store, base_url, console)
        seconds.setdefault("collecting", time.perf_counter() - started)

        started = time.perf_counter()
        table = _evaluated(plan, task, subgoals, rows, store, base_url, console)
        seconds.setdefault("judging", time.perf_counter() - started)
    write_file(out / "seconds.json", json.dumps(seconds))

    started = time.perf_counter()
    arms = _trained(plan, out, base_url, console)
    seconds["training"] = seconds.get("training", 0.0) + time.perf_counter() - started
    write_file(out / "seconds.json", json.dumps(seconds))

    curves = [Curve(arm.label, [run.metrics() for run in arm.runs]) for arm in arms]
    write_file(out / "success.svg", draw_success(curves))
    outcome = Outcome(
        judge=plan.judge,
        transitions=len(rows),
        evaluation=table.to_dict(),
        agents=[_agent(arm) for arm in arms],
        asked=_asked(table, arms[-1].runs[0]),
        seconds=seconds,
        report=str(out / "report.html"),
        plan=asdict(plan),
        provenance=arms[0].runs[0].started_with,
    )
    _report(plan, out, arms, table, subgoals, rows, outcome)
    write_file(out / "outcome.json", json.dumps(outcome.to_dict(), indent=2))
    return outcome


def _make_room(plan: DemoPlan, out: Path, fresh: bool, console: Console) -> None:
    """Goes on with an interrupted demo of the same plan; moves any other one aside."""
    wanted = json.loads(json.dumps(asdict(plan)))
    found = _read_json(out / "plan.json", None)
    if out.exists() and any(out.iterdir()) and found is None:
        raise UsageError(f"{out} holds something other than a demo; name another folder with --out")
    finished = (out / "outcome.json").exists()
    if found is not None and (fresh or finished or found != wanted):
        stamp = datetime.fromtimestamp((out / "plan.json").stat().st_mtime)
        aside = out.with_name(f"{out.name}-{stamp:%Y%m%d-%H%M%S}")
        os.replace(out, aside)
        console.print(Text(f"The demo that was in {out} is now in {aside}."))
    elif found is not None:
        console.print(Text(f"Going on with the interrupted demo in {out}."))
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / "plan.json", json.dumps(wanted, indent=2))


def _read_json(path: Path, otherwise: Any) -> Any:
    if not path.exists():
        return otherwise
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(
            f"{path} can't be read ({error}); name another folder with --out, or remove it"
        ) from None


def _collected(plan: DemoPlan, out: Path, console: Console) -> list[LabelledTransition]:
    path = out / "transitions.parquet"
    if path.exists():
        return list(read_transitions(path).rows)
    rows = collect_rows(
        plan.task,
        players=("scripted", "random"),
        episodes=plan.episodes,
        seed=plan.seed,
        split="data",
        console=console,
    )
    write_rows(path, plan.task, rows)
    return rows


def _subgoals(
    plan: DemoPlan, task: Task, out: Path, store: Store, base_url: str | None, console: Console
) -> tuple[Subgoal, ...]:
    """The task's given subgoals, or those that the language model names."""
    judge = make_judge(plan.judge, store=store, base_url=base_url)
    found = decompose(task, judge, store)
    write_subgoals(out / SUBGOALS, task.id, found)
    console.print(Text("Subgoals: " + "; ".join(s.name for s in found)))
    return found


def _evaluated(
    plan: DemoPlan,
    task: Task,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    store: Store,
    base_url: str | None,
    console: Console,
) -> EvaluationTable:
    """The judge beside the trivial annotators, against the engine's truth."""
    names = [s.name for s in task.subgoals]
    rate = sum(any(row.truth[name] for name in names) for row in rows) / len(rows)
    # As often "any subgoal" as the truth: 1 - (1 - p)^G = rate.
    chance = 1 - (1 - rate) ** (1 / len(names))
    specs = ("always-yes", "always-no", f"random:{chance:.4f}")
    trivial = [make_judge(spec, seed=plan.seed) for spec in specs]
    judge = make_judge(plan.judge, store=store, base_url=base_url, seed=plan.seed)
    discovered = tuple(subgoals) != task.subgoals
    matches = {task.id: match(subgoals, task.subgoals)} if discovered else None
    with console.status(Text(f"{plan.judge} judges {len(rows)} transitions ...")):
        table = evaluate([judge], rows, task, name="demo", matches=matches)
        others = evaluate(trivial, rows, task, name="demo")
    table.scores.extend(others.scores)
    console.print(_terminal_table(table))
    return table


SHOWN = {
    "judge": "annotator",
    "mcc": "MCC",
    "balanced_accuracy": "bal. acc.",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "accuracy": "accuracy",
}


def _scores(table: EvaluationTable) -> Table:
    """One row a judge: figures for "any subgoal", with intervals clustered by episode."""
    rows = []
    for score in table.scores:
        cells: list[object] = [score.judge]
        for name in list(SHOWN)[1:]:
            e = score.metrics[name]
            cells.append(fmt_interval(e))
        cells.append(fmt_share(score.metrics["exact"].value))
        unread = sum(n for v, n in score.verdicts.items() if v not in ("ok", "repaired"))
        cells.append(unread)
        rows.append(cells)
    return Table([*SHOWN.values(), "all subgoals right", "unreadable"], rows)


def _terminal_table(table: EvaluationTable) -> RichTable:
    """The figures without their intervals, which are in the report."""
    shown = RichTable(
        title=f"Any subgoal, against the engine's truth, on {len(table.rows)} transitions"
    )
    for name in (*SHOWN.values(), "exact"):
        shown.add_column(Text(name), justify="left" if name == "annotator" else "right")
    for score in table.scores:
        figures = [score.metrics[name].value for name in (*list(SHOWN)[1:], "exact")]
        shown.add_row(Text(score.judge), *(Text(fmt_share(value)) for value in figures))
    return shown


def _trained(plan: DemoPlan, out: Path, base_url: str | None, console: Console) -> list[Arm]:
    """The three agents, trained side by side; those that are done are left alone."""
    arms, waiting = [], []
    discovered = asks_model(plan.judge)
    subgoals = str(out / SUBGOALS) if discovered else "given"
    for label, reward, config in plan.arms(subgoals):
        folder = out / "agents" / re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
        exists = (folder / "config.yaml").exists()
        run = Run.open(folder) if exists else Run.create(folder, config)
        arms.append(Arm(label, [run], reward))
        metrics = run.metrics()
        if not metrics or metrics[-1]["steps"] < config.steps:
            waiting.append(arms[-1])
    if waiting:
        train_with_progress(
            [arm.runs[0] for arm in waiting],
            store=out / "store.sqlite",
            base_url=base_url,
            console=console,
            labels=[arm.label for arm in waiting],
            at_once=len(waiting),
        )
    return arms


def _agent(arm: Arm) -> dict[str, Any]:
    metrics = arm.runs[0].metrics()
    last = metrics[-1]
    return {
        "label": arm.label,
        "reward": arm.reward,
        "steps": last["steps"],
        "success": last["success"],
        "low": last["success_low"],
        "high": last["success_high"],
        "episodes": last["episodes"],
        "to_90": steps_to(metrics, 0.9),
        "steps_per_s": last["steps"] / max(last["seconds"], 1e-9),
        "asked": last.get("asked"),
    }


def _asked(table: EvaluationTable, shaped: Run) -> int:
    """Distinct texts judged, by the evaluation and in training together."""
    mode = table.scores[0].mode
    return len({row.transition.texts[mode] for row in table.rows} | set(shaped.judged()))


def _report(
    plan: DemoPlan,
    out: Path,
    arms: Sequence[Arm],
    table: EvaluationTable,
    subgoals: Sequence[Subgoal],
    rows: Sequence[LabelledTransition],
    outcome: Outcome,
) -> None:
    """The report, with a few judged transitions as the game showed them."""
    judged = {j.id: j.judgement for j in table.judged if j.judge == plan.judge}
    Report(
        title=f"CALM demo: {plan.task}",
        summary=[
            verdict(outcome.agents),
            f"One seed ({plan.seed}), {plan.steps:,} steps for each agent; another seed gives other"
            " figures. Success is the share of held-out levels finished, on the environment's own"
            " reward.",
        ],
        arms=arms,
        evaluation=_scores(table),
        evaluation_note=(
            f"{len(rows)} transitions of a scripted and a random player, {table.episodes} episodes."
            " Figures are for “any subgoal achieved”, with 95 % intervals by bootstrap over"
            " episodes; “all subgoals right” checks which one. An annotator that always says yes"
            " has recall 1, and MCC 0; the random one says yes as often as the truth does."
        ),
        costs=costs_table(arms),
        samples=pick_samples(rows, judged, [s.name for s in subgoals], "events"),
        subgoals=subgoals,
        provenance=outcome.provenance
        | {f"seconds {k}": f"{v:.0f}" for k, v in outcome.seconds.items()},
    ).write(out / "report.html")
