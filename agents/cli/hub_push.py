"""`calm hub push`: a set, a store's answers or an agent for others."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.options import Json


def hub_push(
    source: Annotated[
        str,
        typer.Argument(
            help="A run's folder, a store's file, or the name, folder or parquet file of a set."
        ),
    ],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME; made if there is none.")],
    public: Annotated[
        bool, typer.Option("--public", help="Everyone may read it; else it is private.")
    ] = False,
    licence: Annotated[
        str, typer.Option(help="The hub's id of it, such as cc-by-4.0. [a set's own]")
    ] = "",
    half: Annotated[
        bool, typer.Option("--half", help="Store an agent's weights with 16 bits.")
    ] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "",
    as_json: Json = False,
) -> None:
    """Push a labelled set, a store's answers or a trained agent to the Hugging Face hub.

    A card is written, and every file is described by size and SHA-256. One commit holds all of it,
    or nothing; what an interrupted push has uploaded is not uploaded again. Of a store its answers
    go as `calm store export` writes them, never the file itself, and what they tell is said
    beforehand. Of an agent go settings, weights (safetensors), subgoals and the judge's answers.
    HF_TOKEN must have the right to write; HF_ENDPOINT names another hub.
    """
    from agents.sharing.hub import push_source

    console = Console(stderr=True, highlight=False)
    pushed = push_source(
        source,
        repository,
        public=public,
        licence=licence,
        half=half,
        message=message,
        tell=lambda line: console.print(Text(line), soft_wrap=True),
    )
    typer.echo(
        json.dumps(pushed) if as_json else f"{pushed['kind']} {pushed['name']}: {pushed['commit']}"
    )
