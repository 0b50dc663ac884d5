"""`calm collect`: plays a task and writes every step in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calm.cli.options import Descriptions, Json
from calm.files import check_writable


def collect(
    task: Annotated[
        str,
        typer.Argument(
            help="MiniHack task, such as KeyRoom-S5, or a YAML file that describes one."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    player: Annotated[
        list[str] | None,
        typer.Option(
            help="scripted, sloppy or random; of some tasks also quester, sloppy-quester or"
            " half-trained. Several take turns. [scripted and random]"
        ),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each player.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the levels and the play.")] = 0,
    split: Annotated[
        str, typer.Option(help="Which levels: data, test or train; they never meet.")
    ] = "data",
    descriptions: Descriptions = 1,
    as_json: Json = False,
) -> None:
    """Play a task and keep every step in words.

    Each row holds the three descriptions of a transition, what it achieved by the engine's truth,
    where it comes from, and the game's own screen for people to look at. Ctrl-C keeps what was
    played until then in a file beside OUT, named NAME.part.parquet; the same command resumes from
    it (with more or fewer episodes, if you like) and writes what it would have written at once.
    """
    from agents.data_sets.collect import collect_file

    check_writable(out)
    about = collect_file(
        out,
        task,
        players=player or ("scripted", "random"),
        episodes=episodes,
        seed=seed,
        split=split,
        descriptions=descriptions,
        console=Console(stderr=True),
    )
    if as_json:
        typer.echo(json.dumps(about, indent=2))
        return
    typer.echo(f"{about['transitions']} transitions of {about['episodes']} episodes in {out}")
    for name, count in about["achieved"].items():
        typer.echo(f"  {'no truth' if count is None else count:>8}  {name}")
