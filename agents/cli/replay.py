"""`calm replay`: an agent's episodes in the terminal, and as a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.options import Json


def replay(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    episodes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Episodes to record. [4]")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of levels and play. [the run's, as it is evaluated]"),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=60, help="Steps a second.")] = 4.0,
    again: Annotated[
        bool, typer.Option(help="Record anew, also where the agent has not changed.")
    ] = False,
    play: Annotated[bool, typer.Option(help="Show them here; else only the page is made.")] = True,
    as_json: Json = False,
) -> None:
    """Play an agent's episodes, with judged subgoals, credit and value beside the map.

    Records the policy of the run's checkpoint on held-out levels (episodes.parquet in the run's
    folder), writes replay.html, which plays them in a browser, and its report, which links it. In a
    terminal: space pauses, left and right step, up and down change the speed, [ and ] the episode,
    q quits. Elsewhere the frames are printed one after the other. Asks no model: its answers are
    those that the run got.
    """
    from agents.inspection import playback_page as replay_page
    from agents.inspection import recording
    from agents.inspection.playback import keyboard, plain
    from agents.inspection.playback import play as play_here
    from agents.report.page import report_runs
    from agents.training.run_folder import Run

    opened = Run.open(run)
    path = opened.folder / recording.FILE
    latest = recording.latest(opened, path, episodes, seed, again)
    page = replay_page.write_page(latest, opened.folder / replay_page.FILE, opened.config.name)
    if opened.metrics():
        report_runs([opened], opened.folder / "report.html")
    console = Console(highlight=False)
    if as_json:
        summaries = [
            {
                "level_seed": steps[0].level_seed,
                "steps": len(steps) - 1,
                "end": steps[-1].end,
                "r_env": sum(s.r_env for s in steps),
                "credit": sum(s.credit for s in steps),
            }
            for steps in latest.episodes
        ]
        typer.echo(json.dumps({"page": str(page), "recording": str(path), "episodes": summaries}))
        return
    if play and console.is_terminal and sys.stdin.isatty():
        with keyboard() as read:
            play_here(latest, console, read, speed)
    elif play:
        for line in plain(latest):
            typer.echo(line)
    typer.echo(f"{len(latest.episodes)} episodes, to be played in a browser: {page}")
