"""`calm players train`: trains a player that stops half way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def players_train(
    task: Annotated[str, typer.Argument(help="KeyRoom-S5 or KeyRoom-S15.")],
    goal: Annotated[
        float, typer.Option(help="Stop once this share of training episodes is finished.")
    ] = 0.33,
    most: Annotated[int, typer.Option(min=1, help="Give up after so many steps.")] = 3_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, actions and levels.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights. [envs/players/weights]")
    ] = None,
) -> None:
    """Train a player half way and keep its weights.

    The half-trained players that the labelled sets are played with were made so. One seed gives
    one player on one machine.
    """
    from agents.data_sets.train_half_trained import train_player
    from envs.players.half_trained import WEIGHTS

    about = train_player(task, goal, most, seed, out or WEIGHTS)
    low, high = about["success_95"]
    typer.echo(
        f"{about['task']}: {about['train_steps']} steps, {about['success']:.3f}"
        f" [{low:.3f} {high:.3f}] of {about['held_out_levels']}"
    )
