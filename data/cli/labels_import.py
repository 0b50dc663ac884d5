"""`calm labels import`: labels of other files into the store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from calm.errors import PartialError
from calm.files import write_file
from calm.text import clean
from data.cli.label_options import LABELS, LabelsOption


def labels_import_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="What the labelling page saved (.json), Label Studio's JSON export, a .csv, or"
            " what `calm labels export` wrote."
        ),
    ],
    labels: LabelsOption = LABELS,
    data: Annotated[
        str,
        typer.Option(help="The set they must be of.", show_default="not looked at"),
    ] = "",
    annotator: Annotated[
        str, typer.Option("--as", help="Whose labels they are, whatever the files say.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME",
            help="Which column of a CSV holds id, annotator, achieved, asked, unsure, seconds or at"
            " (of Label Studio: which key of data holds the id). Repeat for several.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let other answers take the place of present ones.")
    ] = False,
    matches: Annotated[
        Path | None,
        typer.Option(
            help="Write what people said that discovered subgoals mean, for evaluate --match."
        ),
    ] = None,
) -> None:
    """Add the labels of other files, each under its own annotator's name.

    A row that cannot be used is shown with the reason, and the others are read; nothing that is
    there is overwritten. Exits with 4 if a row was left out.
    """
    from data.dataset import load
    from data.label.import_formats import ImportOptions, read_columns
    from data.label.imports import import_file, merge_meanings
    from data.label.store import LabelStore

    options = ImportOptions(read_columns(column or []), annotator, replace)
    dataset = load(data) if data else None
    problems = 0
    meanings: dict[str, dict[str, str | None]] = {}
    with LabelStore(labels) as store:
        for file in files:
            result = import_file(file, store, options, dataset)
            merge_meanings(meanings, result)
            sys.stdout.write(f"{file}: {result.new} new labels")
            sys.stdout.write(f", {result.known} known already\n" if result.known else "\n")
            for problem in result.problems:
                sys.stdout.write(f"{file}, row {problem.row}: {clean(problem.reason)}\n")
            problems += len(result.problems)
    if matches is not None:
        write_file(matches, json.dumps(meanings, indent=2, ensure_ascii=False) + "\n")
    if problems:
        raise PartialError(f"{problems} rows were left out, each with the reason above")
