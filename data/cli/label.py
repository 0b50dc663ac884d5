"""`calm label`: a page on which one person labels transitions."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from data.cli.label_options import LABELS, DataOption, LabelsOption, PartOption

PORT = 8765


def label_command(
    annotator: Annotated[
        str,
        typer.Option(
            "--as",
            help="Your name; each label carries it. Needed unless a page for others is exported.",
            show_default=False,
        ),
    ] = "",
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
    limit: Annotated[
        int, typer.Option(min=0, help="Only N rows, the same for everybody; 0: all.")
    ] = 0,
    sample: Annotated[
        str,
        typer.Option(
            help="How --limit draws: shares (each class by its share), even (rare classes as often"
            " as others), disputed (what the judges of --answers differ on)."
        ),
    ] = "shares",
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="Judges' answers, as evaluate --out writes them, for disputed."),
    ] = None,
    people: Annotated[
        str, typer.Option(metavar="A,B,C", help="Share the rows out among these people.")
    ] = "",
    overlap: Annotated[
        int, typer.Option(min=1, help="People to whom each row goes, with --people.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="Of the draw and of who gets what.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write a page that works from a file, offline and on a phone, instead of serving;"
            " with --people, a folder with a page for each."
        ),
    ] = None,
    discovered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TASK=]FILE",
            help="Also ask on an exported page which given subgoal each of these means.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = PORT,
) -> None:
    """Label transitions on a page in your browser, or write such a page for others.

    Open the address that is printed. One key a subgoal, n for none, u for unsure, z to undo. Each
    answer is on the disk before the next step appears; Ctrl-C stops, the same command resumes.
    With --export the page is a file: whoever opens it labels, saves a small file and sends it back
    for `calm labels import`.
    """
    from data.evaluation.discovered import read_discovered
    from data.label.round import LabellingRound, session_of, write_pages

    plan = LabellingRound(
        data, part, limit, sample, tuple(answers or ()), people, overlap, seed, annotator.strip()
    )
    if export is not None:
        named = partial(read_discovered, discovered) if discovered else None
        for path, n in write_pages(plan, export, named):
            sys.stdout.write(f"{n} transitions to label in {path}\n")
        return
    from data.label.serve import serve
    from data.label.store import LabelStore

    console = Console()
    with LabelStore(labels) as store:
        session = session_of(plan, store)
        done = len(session.done())
        head = f"{len(session.order)} transitions, {done} labelled by {session.annotator}"
        console.print(Text(f"{head}; labels in {labels}"))
        serve(
            session,
            port,
            ready=lambda url: console.print(
                Text(f"Label at {url}  (Ctrl-C to stop)"), soft_wrap=True
            ),
        )
