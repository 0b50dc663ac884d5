"""The commands of this layer: train, report, demo, collect, doctor; others have their own files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from agents.cli import encoders as encoder_commands
from agents.cli import replay as replay_command
from agents.cli import study as study_command
from calm.cli.options import (
    BaseUrl,
    Json,
    Quick,
    StoreOption,
    bench_app,
    check_writable,
    run_bench,
)
from calm.errors import CalmError, UsageError


def register(app: typer.Typer) -> None:
    """Adds this layer's commands to `calm`."""
    app.command()(doctor)
    app.command()(demo)
    app.command()(collect)
    app.command()(train)
    app.command()(report)
    encoder_commands.register(app)
    replay_command.register(app)
    study_command.register(app)


def doctor(
    base_url: BaseUrl = None,
    store: Annotated[Path | None, typer.Option(help="A store to open too.")] = None,
    as_json: Json = False,
) -> None:
    """Check that everything works here.

    Packages and versions, a level compiled and stepped, a store written, the endpoint reached if
    one is set. Exit code 1 if something does not; each failure says what to do.
    """
    from agents.cli.doctor import examine

    console = Console(highlight=False)
    findings = []
    for finding in examine(base_url, store):
        findings.append(finding)
        if not as_json:
            sign, style = ("ok  ", "green") if finding.good else ("FAIL", "red")
            console.print(f"{sign} {finding.name:18}", style=style, end="", markup=False)
            console.print(finding.detail, markup=False, soft_wrap=True)
            if not finding.good:
                console.print(f"     -> {finding.remedy}", markup=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps([vars(f) for f in findings], indent=2))
    if not all(f.good for f in findings):
        raise typer.Exit(1)


def demo(
    judge: Annotated[
        str, typer.Option(help="Who judges: rules (no key, no network) or openai:MODEL.")
    ] = "rules",
    base_url: BaseUrl = None,
    out: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("runs/demo"),
    steps: Annotated[
        int, typer.Option(min=1, help="Environment steps for each of the three agents.")
    ] = 300_000,
    episodes: Annotated[
        int, typer.Option(min=1, help="Episodes to collect from each of the two players.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of levels, weights and actions.")] = 0,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A setting of the agents, as in train."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Start anew, also where an interrupted demo could be gone on with.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge, train and report, in minutes.

    Collects transitions of KeyRoom-S5 from a scripted and a random player, lets the judge label
    them, scores it against the engine's truth, trains PPO three times on the same budget
    (MiniHack's reward; the same without its -0.01 for idle steps; shaped by the judge) and writes
    a report. Interrupted, it goes on where it was.
    """
    from agents.demo.run import DemoPlan, run_demo
    from agents.training.config import read_settings

    plan = DemoPlan(judge, steps, episodes, seed, settings=read_settings(setting or []))
    outcome = run_demo(plan, out, base_url=base_url, fresh=fresh, console=Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(outcome.to_dict(), indent=2))
    else:
        for line in outcome.lines():
            typer.echo(line)


def collect(
    task: Annotated[str, typer.Argument(help="MiniHack task, such as KeyRoom-S5.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    player: Annotated[
        list[str] | None,
        typer.Option(help="scripted, sloppy or random; several take turns. Scripted and random."),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each player.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the levels and the play.")] = 0,
    split: Annotated[
        str, typer.Option(help="Which levels: data, test or train; they never meet.")
    ] = "data",
    as_json: Json = False,
) -> None:
    """Play a task and keep every step in words.

    Each row holds the three descriptions of a transition, what it achieved by the engine's truth,
    where it comes from, and the game's own screen for people to look at.
    """
    from agents.data_sets.collect import collect_rows, write_rows

    check_writable(out)
    rows = collect_rows(
        task,
        players=player or ("scripted", "random"),
        episodes=episodes,
        seed=seed,
        split=split,
        console=Console(stderr=True),
    )
    told = write_rows(out, task, rows)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        typer.echo(f"{told['transitions']} transitions of {told['episodes']} episodes in {out}")
        for name, count in told["achieved"].items():
            typer.echo(f"  {count:6d}  {name}")


def train(
    task: Annotated[str | None, typer.Argument(help="MiniHack task, such as KeyRoom-S5.")] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="none, truth (the engine's own), noisy:precision=P,recall=R (the truth with"
            " errors), rules, openai:MODEL, replay. [rules]"
        ),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(
            help="wait for the judge's answers about what is new, or take them later and go on"
            " meanwhile. [wait]"
        ),
    ] = None,
    shaping: Annotated[
        str | None,
        typer.Option(help="every, once (each subgoal pays once an episode), potential. [once]"),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="What sees the map; an unknown name lists them. [cnn]")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="none, stack (the last crops), lstm (on a slower loop). [none]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Environment steps. [300000]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="First seed. [0]")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds, each a run. [1]")
    ] = None,
    subgoals: Annotated[
        str | None,
        typer.Option(help="given, a YAML file as `calm decompose` writes it, or a list's hash."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; options win over it.")
    ] = None,
    wandb: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Log to Weights & Biases as well.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any other setting, such as n_envs=16."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder that holds the runs' folders. [runs]")
    ] = None,
    resume: Annotated[
        list[Path] | None,
        typer.Option(
            help="Go on with the run in this folder; repeat for several. Takes no other settings."
        ),
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Train PPO on reward plus judged credit.

    Success is measured on levels that training never sees. Ctrl-C saves a checkpoint; go on with
    --resume FOLDER. A model that does not answer is waited for (--set patience=SECONDS), then
    training stops in the same way. The run's folder holds every setting (config.yaml), metrics and
    a report.
    """
    from agents.report.page import report_runs
    from agents.training.config import load_config, make_config, read_settings
    from agents.training.environment import shaper_of, subgoals_of
    from agents.training.progress import train_with_progress
    from agents.training.run_folder import Run
    from calm.store.store import Store

    given = {
        "task": task,
        "judge": judge,
        "ask": ask,
        "shaping": shaping,
        "encoder": encoder,
        "memory": memory,
        "steps": steps,
        "seed": seed,
        "subgoals": subgoals,
        "wandb": wandb,
    }
    values = {k: v for k, v in given.items() if v is not None} | read_settings(setting or [])
    if resume:
        others = {"config": config, "seeds": seeds, "out": out}
        if got := [*values, *(name for name, value in others.items() if value is not None)]:
            raise UsageError(
                "--resume goes on with a run as it was and takes no other settings, got "
                + ", ".join(got)
            )
        runs = [Run.open(folder) for folder in resume]
    else:
        if config is None and task is None and "task" not in values:
            raise UsageError("name a task, such as `calm train KeyRoom-S5`, or a --config")
        base = load_config(config, values) if config else make_config(values)
        configs = [
            make_config(base.model_dump() | {"seed": base.seed + i}) for i in range(seeds or 1)
        ]
        folders = [(out or Path("runs")) / one.name for one in configs]
        for folder in folders:
            Run.refuse_taken(folder)
        with Store(store) as opened:  # what can't be judged is no run
            shaper_of(base, subgoals_of(base, opened), opened, base_url)
        runs = [Run.create(*pair) for pair in zip(folders, configs, strict=True)]
    console = Console(stderr=True)
    try:
        train_with_progress(runs, store=store, base_url=base_url, console=console)
    except KeyboardInterrupt:
        again = " ".join(f"--resume {shlex.quote(str(run.folder))}" for run in runs)
        console.print(Text(f"go on with: calm train {again}"), soft_wrap=True)
        raise
    told = []
    for run in runs:
        path = report_runs([run], run.folder / "report.html")
        last = run.metrics()[-1]
        told.append({"run": str(run.folder), "report": str(path)} | last)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for row in told:
        typer.echo(
            f"{row['run']}: success {row['success']:.0%} on {row['episodes']} held-out levels"
            f" [{row['success_low']:.0%}, {row['success_high']:.0%}] after {row['steps']:,} steps;"
            f" report in {row['report']}"
        )


@bench_app.command("train")
def bench_train(quick: Quick = False, as_json: Json = False) -> None:
    """Measure training: ours, stable-baselines3, Sample Factory and PufferLib.

    Whole loops, collection and update, on KeyRoom-S5 with the same keys, network, batches and
    epochs, in turns; with a network of 528 thousand parameters and a small one. Our environments
    alone and our update alone say what is left to gain. `make bench-peers` installs the peers.
    """
    from agents.bench.training import run

    run_bench(lambda say: run(quick, say), as_json)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write; report.html in the first run by default.")
    ] = None,
) -> None:
    """Write one HTML report of runs.

    Learning curves with intervals, a table of the agents, what the judge cost, every setting; all
    in one file. Runs that differ only in their seed share a colour.
    """
    from agents.report.page import report_runs
    from agents.training.run_folder import Run

    opened = [Run.open(folder) for folder in runs]
    if not any(run.metrics() for run in opened):
        raise CalmError("none of these runs has been evaluated yet, so there is nothing to draw")
    typer.echo(str(report_runs(opened, out or runs[0] / "report.html")))
