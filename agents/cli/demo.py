"""`calm demo`: the whole chain in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.options import FORMS, THRESHOLDS, BaseUrl, Json
from calm.cli.typed import typed


def demo(
    judge: Annotated[
        str,
        typer.Option(help="Who judges: rules (no key, no network), local:MODEL or openai:MODEL."),
    ] = "rules",
    form: Annotated[
        str,
        typer.Option(
            help=f"Form of question and answer of a model: {FORMS}.",
            show_default="that in which a local model was measured to judge best, else booleans",
        ),
    ] = "",
    thresholds: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|FILE",
            help=THRESHOLDS,
            show_default="those measured with the form",
        ),
    ] = "",
    base_url: BaseUrl = None,
    out: Annotated[Path, typer.Option(help="Folder for everything it makes.")] = Path("runs/demo"),
    steps: Annotated[
        int, typer.Option(min=1, help="Environment steps for each of the four agents.")
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
        bool, typer.Option(help="Start anew, also where an interrupted demo could be resumed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge, train and report, in minutes.

    Collects transitions of KeyRoom-S5 from a scripted and a random player, lets the judge label
    them, scores it against the engine's truth, trains PPO four times on the same budget
    (MiniHack's reward; the same without its -0.01 for idle steps; paid for whatever is new; shaped
    by the judge) and writes a report. Interrupted, it resumes where it was.

    With rules it takes 2 to 10 minutes on two cores. A language model is asked about each new event
    once. It names the subgoals itself, but in the forms statements and lines is asked about the
    given ones. local:qwen2.5-coder-1.5b is asked in lines, unless --form says otherwise: some 450
    questions of one token each, and 1.1 GB of weights that `calm models pull` fetches before.
    """
    from agents.demo.arms import DemoPlan
    from agents.demo.run import run_demo
    from agents.training.settings.files import read_settings
    from calm.judges.thresholds import read_thresholds

    settings = read_settings(setting or [])
    named = settings.pop("form", ""), settings.pop("thresholds", {})
    plan = DemoPlan(
        judge,
        steps,
        episodes,
        seed,
        settings=settings,
        form=form or named[0],
        thresholds=read_thresholds(thresholds) or named[1],
    )
    outcome = run_demo(plan, out, base_url=base_url, fresh=fresh, console=Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(outcome.to_dict(), indent=2))
    else:
        for line in (*outcome.lines(), "Next:", *next_commands(judge, out)):
            typer.echo(line)


def next_commands(judge: str, out: Path) -> list[str]:
    """Returns three lines to type after a demo: watch its agent, label its steps, score a judge."""
    from agents.demo.arms import run_folder

    agent = run_folder(out, f"shaped by {judge}")
    set_file = out / "transitions.parquet"
    return [
        "  " + typed("replay", agent),
        "  " + typed("label", "--as", "me", "--data", set_file),
        "  " + typed("evaluate", "--data", "keyroom-v1", "--judge", "rules"),
    ]
