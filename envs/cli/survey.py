"""`calm survey`: what random play meets in each task."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calm.cli.options import Descriptions, Json

if TYPE_CHECKING:
    from envs.survey import Survey


def survey_command(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(help="Ids, short or whole, or files of tasks. [every id of MiniHack]"),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Random steps of each task.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="Of levels and actions.")] = 0,
    timed: Annotated[
        bool, typer.Option(help="Measure steps a second; without, runs give equal files.")
    ] = True,
    descriptions: Descriptions = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file to write to; tasks that it holds already are replaced."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Play tasks at random: how many different events, whether reward is ever met, how fast.

    For choosing tasks before anything is trained: where random play meets thousands of events,
    novelty pays for what doesn't matter; where it never meets reward, reward alone teaches nothing.
    A task that can't be played is listed with the reason.
    """
    from envs.survey import save_surveys, survey_all
    from envs.tasks.registered import registered_ids

    def show(one: Survey) -> None:
        if one.error:
            line = f"{one.task}: {one.error}"
        else:
            line = (
                f"{one.task}: {one.events:,} events in {one.steps:,} steps, reward in"
                f" {one.rewarded:,} of {one.episodes:,} episodes, {one.actions} actions,"
                f" {one.path}"
            )
            if timed:
                line += f", {one.steps_a_second:,.0f} steps/s"
        (sys.stderr if as_json else sys.stdout).write(line + "\n")
        if out is not None:
            save_surveys(out, [one])  # as it comes, so that Ctrl-C loses one task at most

    surveys = survey_all(tasks or registered_ids(), steps, seed, show, timed, descriptions)
    if as_json:
        sys.stdout.write(json.dumps([asdict(one) for one in surveys], indent=2) + "\n")
