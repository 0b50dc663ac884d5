"""`calm watch`: a page that follows runs, studies and stores while they are written."""

from __future__ import annotations

import secrets
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

PORT = 8766
STORE = Path("calm.sqlite")
LABELS = Path("runs/labels.sqlite")


def watch(
    folders: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs, studies, demos, evaluations, tables of answers or stores; files"
            " of these; or patterns such as 'runs/*'."
        ),
    ],
    store: Annotated[
        list[Path] | None,
        typer.Option(
            help="Show this store of answers too; repeat for several.",
            show_default=f"{STORE} where it is here",
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Labelled sets that tell the truth of descriptions: names, folders or files.",
            show_default="the packaged ones",
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Files of people's labels of transitions in these sets.",
            show_default=f"{LABELS} where it is here",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = PORT,
) -> None:
    """Follow training, studies and annotation on a page in your browser, while they write.

    Open the address that is printed: learning curves, subgoals, questions, cost, the last
    judgements with prompt and raw answer, and all judgements of each store to look through. Nothing
    is written, and nothing is locked. Ctrl-C stops it.
    """
    from agents.watch.server import application
    from agents.watch.truths import KnownTruths
    from agents.watch.watching import Watching
    from data.local_page.serve import serve

    console = Console()
    truths = KnownTruths(data or (), labels if labels is not None else _if_here(LABELS))
    stores = store if store is not None else _if_here(STORE)
    with closing(Watching(folders, truths, stores)) as watching:
        token = secrets.token_urlsafe(24)
        serve(
            partial(application, watching, " ".join(folders), token),
            token,
            port,
            ready=lambda url: console.print(
                Text(f"Watch at {url}  (Ctrl-C to stop)"), soft_wrap=True
            ),
        )


def _if_here(path: Path) -> list[Path]:
    """Returns a file that is looked at unasked, where there is one."""
    return [path] if path.is_file() else []
