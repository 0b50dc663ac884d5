"""`calm encoders`: the encoders with their size and time."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.cli.options import Json


def encoders(
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="An observation key; repeat for several. [as calm train]"),
    ] = None,
    crop: Annotated[int, typer.Option(min=3, help="Side of the crop; odd.")] = 9,
    features_dim: Annotated[int, typer.Option(min=8, help="Width of the joint features.")] = 256,
    as_json: Json = False,
) -> None:
    """List the encoders: size, arithmetic and measured time of each.

    A whole encoder each: everything between an observation and the features that policy and value
    share. Times (ms) are of a forward at batch 16 on one core; all take turns. What the weights
    say: in how many agents of the study of encoders the mechanism's own weights mark cells that
    matter to the policy, by the check of calm explain. Where that is little or nothing, read their
    drawing as what the mechanism computes, and occlusion for what the agent acts on.
    """
    from agents.bench.encoder_table import BATCH, table
    from agents.training.settings.config import make_config

    values = {"crop": crop, "features_dim": features_dim} | ({"keys": keys} if keys else {})
    entries = table(make_config(values))
    if as_json:
        typer.echo(
            json.dumps({"batch": BATCH, "encoders": [e._asdict() for e in entries]}, indent=2)
        )
        return
    listing = Table("encoder", box=None)
    for title in ("parameters", "MFLOP", "ms", "of the CNN's"):
        listing.add_column(title, justify="right")
    listing.add_column("what it does, and what its own weights say")
    for entry in entries:
        cells = (
            entry.name,
            f"{entry.parameters:,}",
            f"{entry.mflops:.2f}",
            f"{entry.ms:.2f}",
            f"{entry.times_cnn:.1f} x",
            "; ".join(filter(None, (entry.about, entry.weights))),
        )
        listing.add_row(*map(Text, cells))
    Console(highlight=False).print(listing)
