"""`calm owner serve`: one owner of store, budget and pace, for all who ask."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import BaseUrls, StoreOption


@with_asking_options(
    "concurrency",
    "rpm",
    "tpm",
    "timeout",
    "deadline",
    "prices",
    "key_env",
    "max_cost",
    "max_tokens",
    "max_requests",
)
def owner_serve_command(
    *,
    store: StoreOption = Path("calm.sqlite"),
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0 for other machines too.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help="0 takes the one that this store's owner had before, else a free one.",
        ),
    ] = 0,
    cert: Annotated[Path | None, typer.Option(help="TLS certificate, a PEM file.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, a PEM file.")] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Let token and answers cross a network in the clear."),
    ] = False,
    base_url: BaseUrls = None,
    asking: AskingOptions,
) -> None:
    """Hold store, budget and pace, and answer the questions of all who ask, until Ctrl-C.

    Prints the two variables that make any command ask through it, whether on this machine or on
    another that has the token's file: CALM_OWNER and CALM_OWNER_TOKEN_FILE. A question is then
    asked once and paid once, and limits are on all of it. Killed and started again, it resumes
    on its file, and whoever waits goes on.
    """
    from calm.owner.models import OwnerOptions
    from calm.owner.running import Listening, start_owner

    values = asking.for_judge()
    named = {n: values[n] for n in OwnerOptions.__dataclass_fields__ if n in values}
    options = OwnerOptions(base_url=" ".join(base_url or ()) or None, **named)
    listening = Listening(host, port, cert, key, insecure)
    with start_owner(store, options=options, listening=listening) as owner:
        sys.stdout.write(f"export CALM_OWNER={owner.url}\n")
        sys.stdout.write(f"export CALM_OWNER_TOKEN_FILE={_quoted(owner.token_file)}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


def _quoted(path: Path | None) -> str:
    import shlex

    return shlex.quote(str(path and path.resolve()))
