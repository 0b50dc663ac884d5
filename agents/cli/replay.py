"""`calm replay`: an agent's episodes in the terminal, and as a page."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from calm.cli.options import Json
from calm.files import check_writable

if TYPE_CHECKING:
    from agents.inspection.recording import Step


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
    gif: Annotated[
        Path | None, typer.Option(help="Write them as a GIF, in NetHack's tiles.")
    ] = None,
    mp4: Annotated[Path | None, typer.Option(help="The same as a video; extra `film`.")] = None,
    ttyrec: Annotated[
        Path | None, typer.Option(help="Write what the terminal showed, for ttyplay.")
    ] = None,
    only: Annotated[
        int | None, typer.Option(min=1, help="The one episode that these files show. [all]")
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=8, help="Enlarges the tiles.")] = 1,
    play: Annotated[bool, typer.Option(help="Show them here; else only the page is made.")] = True,
    as_json: Json = False,
) -> None:
    """Play an agent's episodes, with judged subgoals, credit and value beside the map.

    Records the policy of the run's checkpoint on held-out levels (episodes.parquet in the run's
    folder), writes replay.html, which plays them in a browser, and its report, which links it. In a
    terminal: space pauses, left and right step, up and down change the speed, [ and ] the episode,
    q quits. Elsewhere the frames are printed one after the other. Asks no model: its answers are
    those that the run got. --gif, --mp4 and --ttyrec write files at the given speed as well.
    """
    from agents.inspection import film, recording
    from agents.inspection import playback_page as replay_page
    from agents.inspection.playback import keyboard, plain
    from agents.inspection.playback import play as play_here
    from agents.inspection.ttyrec import write_ttyrec
    from agents.report.page import report_runs
    from agents.training.run.folder import Run

    opened = Run.open(run)
    path = opened.folder / recording.FILE
    opened.check_writable(recording.FILE, replay_page.FILE, "report.html")
    for option, wanted in (("--gif", gif), ("--mp4", mp4), ("--ttyrec", ttyrec)):
        if wanted is not None:
            check_writable(wanted, option)
    latest = recording.latest(opened, path, episodes, seed, again)
    page = replay_page.write_page(latest, opened.folder / replay_page.FILE, opened.config.name)
    shown = latest if only is None else latest.only(only)
    if gif is not None:
        film.write_gif(shown, gif, speed, scale)
    if mp4 is not None:
        film.write_mp4(shown, mp4, speed, scale)
    if ttyrec is not None:
        write_ttyrec(shown, ttyrec, speed)
    files = [str(file) for file in (gif, mp4, ttyrec) if file is not None]
    if opened.metrics():
        report_runs([opened], opened.folder / "report.html")
    console = Console(highlight=False)
    if as_json:
        summary = {"page": str(page), "recording": str(path), "files": files}
        typer.echo(json.dumps(summary | {"episodes": [_summary(one) for one in latest.episodes]}))
        return
    if play and console.is_terminal and sys.stdin.isatty():
        with keyboard() as read:
            play_here(latest, console, read, speed)
    elif play:
        for line in plain(latest):
            typer.echo(line)
    for file in files:
        typer.echo(file)
    typer.echo(f"{len(latest.episodes)} episodes, to be played in a browser: {page}")


def _summary(steps: Sequence[Step]) -> dict[str, Any]:
    """Returns an episode's level, length, end and sums of reward and credit."""
    return {
        "level_seed": steps[0].level_seed,
        "steps": len(steps) - 1,
        "end": steps[-1].end,
        "r_env": sum(step.r_env for step in steps),
        "credit": sum(step.credit for step in steps),
    }
