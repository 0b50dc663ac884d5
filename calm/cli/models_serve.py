"""`calm models serve`: serves a local model until it is stopped, for this user's other commands."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text


def models_serve(
    model: Annotated[str, typer.Argument(help="As in --judge local:MODEL.")],
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that compute.")] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Questions at once.")] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Tokens of prompt and answer in one slot.")
    ] = None,
) -> None:
    """Keep a model loaded until Ctrl-C; every `--judge local:MODEL` meanwhile uses it as it is.

    Without this each command starts the model when it first asks, and it ends with the last of
    them. Prints the address, which any OpenAI-compatible client can use.
    """
    from calm.judges.local import open_lease
    from calm.local.weights import find_weights

    console = Console(stderr=True, highlight=False)

    def tell(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    weights = find_weights(model, tell)
    lease = open_lease(weights, tell, threads=threads, slots=slots, context=context)
    address = ""
    try:
        while True:
            current = lease.wait()
            if current != address:
                address = current
                Console(highlight=False).print(Text(address), soft_wrap=True)
            time.sleep(0.5)
    finally:
        lease.close()
