"""`calm hub pull`: another person's set, answers or agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from calm.cli.fetching import fetching
from calm.cli.options import Json

NEXT = {
    "agent": "calm replay {0}   or in Python: from agents import load_agent; load_agent({0!r})",
    "set": "calm evaluate --data {0} --judge rules",
    "store": "calm store import {0} --store calm.sqlite",
}
"""By kind, what to do with it."""


def hub_pull(
    repository: Annotated[
        str, typer.Argument(help="OWNER/NAME on the hub, or a packaged agent such as keyroom-s5.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="New folder. [NAME; runs/NAME of a packaged agent]")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="What is expected: agent, set or store; refused if it is another.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Fetch a set, a store's answers or an agent that `calm hub push` has pushed.

    Only the files that its kind has are fetched, each is checked by size and SHA-256, all are read
    once, and none is executed; then the folder appears at once. An interrupted pull is resumed by
    the same command. HF_TOKEN opens what is private; HF_ENDPOINT names another hub.
    """
    from agents.sharing.hub import pull_package

    with fetching() as (tell, progress):
        package, folder = pull_package(repository, out, kind=kind, tell=tell, progress=progress)
    if as_json:
        files = [file.name for file in package.files]
        about = {"kind": package.kind.name, "name": package.name, "folder": str(folder)}
        typer.echo(json.dumps(about | {"files": files, "about": dict(package.about)}))
        return
    typer.echo(f"{folder}: {package.kind.name} {package.name}")
    typer.echo(NEXT[package.kind.name].format(str(folder)))
