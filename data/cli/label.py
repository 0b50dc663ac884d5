"""`calm label` and `calm labels`: label transitions, move labels in and out, measure agreement."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from calm.cli.options import Json
from calm.errors import UsageError, unknown

if TYPE_CHECKING:
    from data.schema import Label

LABELS = Path("runs/labels.sqlite")
PORT = 8765

DataOption = Annotated[
    str, typer.Option(help="A labelled set: its name, a folder or a parquet file.")
]
PartOption = Annotated[str, typer.Option(help="Part of the set.", show_default="the first")]
LabelsOption = Annotated[Path, typer.Option(help="The file of labels (SQLite).")]


def label_command(
    annotator: Annotated[str, typer.Option("--as", help="Your name; each label carries it.")],
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
    limit: Annotated[int, typer.Option(min=0, help="Only the first N; 0: all.")] = 0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")
    ] = PORT,
) -> None:
    """Label transitions on a page in your browser, served to this machine alone.

    Open the address that is printed. One key a subgoal, n for none, u for unsure, z to undo. Each
    answer is on the disk before the next step appears; Ctrl-C stops, the same command goes on.
    """
    from data.dataset import load
    from data.label.disagreements import ENGINE
    from data.label.serve import serve
    from data.label.server import Session
    from data.label.store import LabelStore

    name = annotator.strip()
    if not name or len(name) > 64 or not name.isprintable() or name == ENGINE:
        raise UsageError(
            f"an annotator's name has 1 to 64 printable characters and is not {ENGINE!r},"
            f" got {name!r}"
        )
    chosen = load(data).part(part)
    console = Console()
    with LabelStore(labels) as store:
        session = Session(name, chosen.rows[: limit or None], chosen.tasks, store)
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


def export_command(
    to: Annotated[Path, typer.Argument(help="A .csv or .parquet file.")],
    labels: LabelsOption = LABELS,
) -> None:
    """Write all labels to a CSV or parquet file."""
    from data.label.labels_csv import write_csv
    from data.parquet import write_labels

    found = _kept(labels)
    if to.suffix == ".csv":
        write_csv(to, found)
    elif to.suffix == ".parquet":
        write_labels(to, found)
    else:
        raise unknown("kind of file", to.suffix, [".csv", ".parquet"])
    sys.stdout.write(f"{len(found)} labels written to {to}\n")


def import_command(
    files: Annotated[list[Path], typer.Argument(help=".csv or .parquet files of labels.")],
    labels: LabelsOption = LABELS,
) -> None:
    """Add the labels of other files, each under its own annotator's name."""
    from data.label.store import LabelStore

    with LabelStore(labels) as store:
        for file in files:
            sys.stdout.write(f"{file}: {store.merge(_read(file))} new labels\n")


def agreement_command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help=".csv or .parquet files of labels.", show_default="--labels"),
    ] = None,
    data: DataOption = "keyroom-v1",
    part: PartOption = "",
    labels: LabelsOption = LABELS,
    as_json: Json = False,
) -> None:
    """How far annotators agree with one another and with the engine: kappas, and where they differ.

    Cohen's kappa for each pair, the engine among them, and Fleiss' for all on what all have
    labelled, with 95 % intervals clustered by episode.
    """
    from data.dataset import load
    from data.label.disagreements import agreement
    from data.report.terminal import render_agreement

    found = [label for file in files for label in _read(file)] if files else _kept(labels)
    result = agreement(found, load(data).part(part).rows)
    if as_json:
        sys.stdout.write(json.dumps(result.to_dict(), indent=2) + "\n")
    else:
        Console().print(render_agreement(result))


def _read(file: Path) -> list[Label]:
    from data.label.labels_csv import read_csv
    from data.parquet import read_labels

    return read_csv(file) if file.suffix == ".csv" else read_labels(file)


def _kept(labels: Path) -> list[Label]:
    from data.label.store import LabelStore

    if not labels.is_file():
        raise UsageError(f"{labels}: no labels yet; `calm label --as YOU` makes some")
    with LabelStore(labels) as store:
        return store.labels()
