"""The main job once, end to end: collect, judge, score the judge, train four agents, report.

Every stage leaves its product in the demo's folder, so an interrupted demo resumes where it was:

    plan.json  subgoals.yaml  transitions.parquet  seconds.json  store.sqlite
    agents/NAME/ (a run each)  success.svg  report.html  outcome.json
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich.console import Console
from rich.text import Text

from agents.data_sets.collect import played_rows, write_rows
from agents.demo.arms import DemoPlan, train_arms
from agents.demo.asking import in_words, takes_given_subgoals, with_form
from agents.demo.judging import Judging, judge_transitions
from agents.demo.outcome import Outcome, agent_figures, verdict
from agents.report.curves import Curve, draw_success
from agents.report.page import Report, Section
from agents.report.samples import pick_samples
from agents.report.tables import Arm, costs_table
from agents.training.run.folder import Run
from agents.training.run.lock import FILE as OWNER
from agents.training.run.lock import owned
from agents.training.settings.idle import refuse_idle
from calm.cli.waiting import waiting
from calm.decompose import decompose
from calm.errors import UsageError
from calm.files import write_file
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.owned.client import open_store
from calm.records import LabelledTransition, Subgoal, Task
from calm.store.store import Store
from calm.subgoals import write_subgoals
from data.parquet import read_transitions
from envs.tasks import task as find_task

SUBGOALS = "subgoals.yaml"


def run_demo(
    plan: DemoPlan, out: Path, *, base_url: str | None, fresh: bool, console: Console
) -> Outcome:
    """Runs every stage that has not run yet and returns the demo's outcome.

    Args:
        plan: of the demo.
        out: its folder, see above.
        base_url: the endpoint of an `openai:` judge.
        fresh: start anew also where an interrupted demo could be resumed.
        console: for progress and tables.

    Raises:
        UsageError: another process runs a demo there, or the folder holds something else.
    """
    # What can't be used is said before anything is done.
    plan, why = with_form(plan)
    make_judge(plan.judge, base_url=base_url, **plan.asking())
    refuse_idle(plan.settings, [config for _, _, config in plan.arms("given")])
    if why:
        console.print(Text(why), soft_wrap=True)
    with ExitStack() as owners:
        owners.enter_context(owned(out))
        if _moved_aside(plan, out, fresh, console):
            owners.enter_context(owned(out))
        write_file(out / "plan.json", json.dumps(asdict(plan), indent=2))
        return _run_stages(plan, out, base_url, console)


def _run_stages(plan: DemoPlan, out: Path, base_url: str | None, console: Console) -> Outcome:
    seconds = _read_json(out / "seconds.json", {})
    task = find_task(plan.task)
    with open_store(out / "store.sqlite") as store:
        started = time.perf_counter()
        rows = _collect(plan, out, console)
        subgoals = _name_subgoals(plan, task, out, store, base_url, console)
        seconds.setdefault("collecting", time.perf_counter() - started)

        started = time.perf_counter()
        judge = make_judge(
            plan.judge, store=store, base_url=base_url, seed=plan.seed, **plan.asking()
        )
        judging = judge_transitions(judge, task, subgoals, rows, plan.seed, console)
        seconds.setdefault("judging", time.perf_counter() - started)
        if isinstance(judge, OpenAIJudge):
            judge.close()  # a local model's server is started anew, for what training leaves it
    write_file(out / "seconds.json", json.dumps(seconds))

    started = time.perf_counter()
    source = "given" if judging.match is None else str(out / SUBGOALS)
    arms = train_arms(plan, source, out, base_url, console)
    seconds["training"] = seconds.get("training", 0.0) + time.perf_counter() - started
    write_file(out / "seconds.json", json.dumps(seconds))

    curves = [Curve(arm.label, [run.metrics() for run in arm.runs]) for arm in arms]
    write_file(out / "success.svg", draw_success(curves))
    outcome = Outcome(
        judge=plan.judge,
        transitions=len(rows),
        evaluation=dict(judging.evaluation),
        agents=[agent_figures(arm) for arm in arms],
        asked=_count_questions(judging, arms[-1].runs[0]),
        seconds=seconds,
        report=str(out / "report.html"),
        plan=asdict(plan),
        provenance=arms[0].runs[0].started_with,
    )
    _report(plan, out, arms, judging, subgoals, outcome)
    write_file(out / "outcome.json", json.dumps(outcome.to_dict(), indent=2))
    return outcome


def _moved_aside(plan: DemoPlan, out: Path, fresh: bool, console: Console) -> bool:
    """Moves the folder aside unless it holds an interrupted demo of this plan, or nothing.

    Returns:
        Whether it was moved.
    """
    planned = json.loads(json.dumps(asdict(plan)))  # as it would be read from the file
    existing = _read_json(out / "plan.json", None)
    if isinstance(existing, dict):  # one of before has fewer fields
        existing = asdict(DemoPlan()) | existing
    if existing is None and any(path.name != OWNER for path in out.iterdir()):
        raise UsageError(f"{out} holds something other than a demo; name another folder with --out")
    finished = (out / "outcome.json").exists()
    if existing is not None and (fresh or finished or existing != planned):
        stamp = datetime.fromtimestamp((out / "plan.json").stat().st_mtime)
        aside = out.with_name(f"{out.name}-{stamp:%Y%m%d-%H%M%S}")
        os.replace(out, aside)
        console.print(Text(f"The demo that was in {out} is now in {aside}."))
        return True
    if existing is not None:
        console.print(Text(f"Resuming the interrupted demo in {out}."))
    return False


def _read_json(path: Path, otherwise: Any) -> Any:
    if not path.exists():
        return otherwise
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(
            f"{path} can't be read ({error}); name another folder with --out, or remove it"
        ) from None


def _collect(plan: DemoPlan, out: Path, console: Console) -> list[LabelledTransition]:
    path = out / "transitions.parquet"
    if path.exists():
        return list(read_transitions(path).rows)
    rows = list(
        played_rows(
            plan.task,
            players=("scripted", "random"),
            episodes=plan.episodes,
            seed=plan.seed,
            split="data",
            console=console,
        )
    )
    write_rows(path, plan.task, rows)
    return rows


def _name_subgoals(
    plan: DemoPlan, task: Task, out: Path, store: Store, base_url: str | None, console: Console
) -> tuple[Subgoal, ...]:
    """Returns the task's given subgoals, or asks the judge's language model for some."""
    if takes_given_subgoals(plan):
        subgoals = task.subgoals
    else:
        judge = make_judge(plan.judge, store=store, base_url=base_url)
        with waiting(console, f"{judge.name}: subgoals of {task.id}"):
            subgoals = decompose(task, judge, store)
    write_subgoals(out / SUBGOALS, task.id, subgoals)
    console.print(Text("Subgoals: " + "; ".join(s.name for s in subgoals)))
    return subgoals


def _count_questions(judging: Judging, shaped: Run) -> int:
    """Returns the number of distinct texts judged, in the evaluation and in training together."""
    texts = {row.transition.texts[judging.mode] for row in judging.rows}
    return len(texts | set(shaped.judged()))


def _report(
    plan: DemoPlan,
    out: Path,
    arms: Sequence[Arm],
    judging: Judging,
    subgoals: Sequence[Subgoal],
    outcome: Outcome,
) -> None:
    """Writes the report, with a few judged transitions as the game showed them."""
    episodes = len({row.cluster for row in judging.rows})
    Report(
        title=f"CALM demo: {plan.task}",
        summary=[
            verdict(outcome.agents),
            f"One seed ({plan.seed}), {plan.steps:,} steps for each agent; another seed gives other"
            " figures. Success is the share of held-out levels finished, on the environment's own"
            " reward.",
        ],
        arms=arms,
        evaluation=judging.any_table() if judging.scores else None,
        evaluation_note=(
            f"{len(judging.rows)} transitions of a scripted and a random player, {episodes}"
            " episodes. Figures are for “any subgoal achieved”, with 95 % intervals by bootstrap"
            " over episodes; “all subgoals right” checks which one. An annotator that always says"
            " yes has recall 1, and MCC 0; the random one says yes as often as the truth does."
        ),
        naming=[
            *([line] if (line := in_words(plan)) else []),
            *judging.naming(),
            *(f"Mind: {line}." for line in judging.warnings()),
        ],
        by_subgoal=judging.subgoal_table() if judging.scores else None,
        costs=costs_table(arms),
        samples=pick_samples(
            judging.rows,
            judging.answers,
            [s.name for s in subgoals],
            "events",
            meanings=judging.meanings,
        ),
        subgoals=subgoals,
        sections=[prompt_section(judging.prompt)] if judging.prompt else [],
        provenance=outcome.provenance
        | {f"seconds {k}": f"{v:.0f}" for k, v in outcome.seconds.items()},
    ).write(out / "report.html")


def prompt_section(prompt: str) -> Section:
    """Returns a section, folded, with one question as it was put to the model."""
    return Section(
        "One whole question",
        [
            "Of the others only the end differs: what stands between the marks, and in some forms"
            " what is asked about it."
        ],
        Markup('<pre class="text">{}</pre>').format(prompt),
        folded=True,
    )
