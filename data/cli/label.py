"""`calm label`: a page on which one person labels transitions."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from data.cli.label_options import LABELS, DataOption, LabelsOption, PartOption

PORT = 8765


def label_command(
    annotator: Annotated[str, typer.Option("--as", help="Your name; each label carries it.")],
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
    limit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Only N rows, the same for everybody, drawn so that each class keeps its share;"
            " 0: all.",
        ),
    ] = 0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = PORT,
) -> None:
    """Label transitions on a page in your browser, served to this machine alone.

    Open the address that is printed. One key a subgoal, n for none, u for unsure, z to undo. Each
    answer is on the disk before the next step appears; Ctrl-C stops, the same command goes on.
    """
    from data.dataset import load
    from data.label.serve import serve
    from data.label.session import Session
    from data.label.store import LabelStore, check_annotator
    from data.sampling import draw

    name = check_annotator(annotator)
    part_rows = load(data).part(part)
    console = Console()
    with LabelStore(labels) as store:
        session = Session(name, draw(part_rows, limit), part_rows.tasks, store)
        done = len(session.done())
        head = f"{len(session.order)} transitions, {done} labelled by {name}; labels in {labels}"
        console.print(Text(head))
        serve(
            session,
            port,
            ready=lambda url: console.print(
                Text(f"Label at {url}  (Ctrl-C to stop)"), soft_wrap=True
            ),
        )
