"""The files that labels come in: the exported page's, Label Studio's, CSV, calm's own.

Each is read row by row: a label, or what is wrong with the row.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from calm.errors import UsageError, unknown
from calm.records import NONE
from data.label.files import read_label_file
from data.label.labels_csv import active
from data.parquet_file import MAX_CELL_BYTES, MAX_FILE_BYTES
from data.schema import UNSURE, Label, label_of

FIELDS = ("id", "annotator", "achieved", "asked", "unsure", "seconds", "at")
"""What `--column FIELD=NAME` maps."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that was not taken."""

    row: int
    """From 1, or the line of a CSV; 0 for what is of no row."""
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of a file."""

    new: int = 0
    known: int = 0
    """Labels that the store holds already."""
    problems: list[Problem] = field(default_factory=list)
    matches: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """By task, which given subgoal a person said that each discovered one means."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Column of a CSV, or key of Label Studio's `data`, by field."""
    annotator: str = ""
    """Whose labels they are, whatever the file says."""
    replace: bool = False
    """Whether an answer that differs from the one in the store takes its place; its history
    stays."""


def read_columns(pairs: list[str]) -> dict[str, str]:
    """Returns columns by field, from `FIELD=NAME` words.

    Raises:
        UsageError: no such field; lists those there are.
    """
    columns = {}
    for pair in pairs:
        name, sign, column = pair.partition("=")
        if name not in FIELDS:
            raise unknown("field of a label", name, FIELDS)
        if not sign or not column:
            raise UsageError(f"--column {pair}: expected FIELD=NAME")
        columns[name] = column
    return columns


def read_entries(
    path: Path, options: ImportOptions, result: Imported
) -> Iterator[tuple[int, Label | ValueError]]:
    """Yields each row's number, and its label or what is wrong with it."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file; expected labels")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than the {MAX_FILE_BYTES:,} bytes allowed")
    if path.suffix == ".json":
        yield from _json_entries(path, options, result)
    elif path.suffix == ".csv":
        yield from _csv_entries(path, options)
    else:
        yield from zip(count(1), read_label_file(path))


def _json_entries(
    path: Path, options: ImportOptions, result: Imported
) -> Iterator[tuple[int, Label | ValueError]]:
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: cannot be read as JSON: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("labels"), list):
        if value.get("calm_labels") != 1:
            raise UsageError(
                f"{path}: a labels file of version {value.get('calm_labels')!r}, this release"
                " reads 1"
            )
        result.matches = _matches(value.get("matches"))
        shared = {name: _text(value.get(name)) for name in ("annotator", "set", "page")}
        for number, row in enumerate(value["labels"], 1):
            yield number, _entry(row, shared)
    elif isinstance(value, list) and all(isinstance(task, dict) for task in value):
        yield from _label_studio(value, options)
    else:
        raise UsageError(
            f"{path}: neither a file of calm's labelling page nor Label Studio's JSON export"
        )


def _entry(row: object, shared: Mapping[str, str]) -> Label | ValueError:
    """Returns a label of the page's file, or what is wrong with it."""
    if not isinstance(row, dict):
        return ValueError("not an object")
    try:
        return label_of(
            dict(shared)
            | {
                "id": _text(row.get("id")),
                "achieved": _names(row.get("achieved")),
                "asked": _names(row.get("asked")),
                "unsure": row.get("unsure") is True,
                "seconds": _seconds(row.get("seconds", 0)),
                "at": _text(row.get("at")),
                "reads": _text(row.get("reads")),
            }
        )
    except ValueError as error:
        return error


def _label_studio(
    tasks: list[dict[str, Any]], options: ImportOptions
) -> Iterator[tuple[int, Label | ValueError]]:
    """Yields the labels of Label Studio's JSON: a task each, annotated by one person or more.

    The transition's id is in the task's `data`; an annotation's choices are names of subgoals,
    `none` or `unsure`. People are named by their number there: addresses stay out.
    """
    key = options.columns.get("id", "id")
    for number, task in enumerate(tasks, 1):
        data = task.get("data")
        annotations = task.get("annotations")
        if not isinstance(data, dict) or not isinstance(annotations, list):
            yield number, ValueError("no `data` and `annotations`: not a task of Label Studio")
            continue
        for annotation in annotations:
            yield number, _annotation(annotation, data.get(key), key)


def _annotation(annotation: object, id: object, key: str) -> Label | ValueError:
    if not isinstance(annotation, dict):
        return ValueError("an annotation is not an object")
    if annotation.get("was_cancelled"):
        return ValueError("skipped by its annotator; no label")
    who = annotation.get("completed_by")
    who = who.get("id") if isinstance(who, dict) else who
    if not isinstance(who, int | str) or isinstance(who, bool):
        return ValueError("completed_by names nobody")
    choices: list[str] = []
    for result in annotation.get("result") or []:
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            choices += [str(choice) for choice in value["choices"]]
    try:
        if not choices:
            raise ValueError("no choice was made")
        if not isinstance(id, str):
            raise ValueError(f"its data has no transition id under {key!r}")
        achieved = _classes(choices)
        return Label(
            id,
            f"label-studio-{who}",
            achieved,
            (),
            choices == [UNSURE],
            _seconds(annotation.get("lead_time") or 0),
            _text(annotation.get("created_at")),
            page="Label Studio",
        )
    except ValueError as error:
        return error


def _csv_entries(path: Path, options: ImportOptions) -> Iterator[tuple[int, Label | ValueError]]:
    """Yields a CSV's labels; columns are named by `options.columns`, else as the fields."""
    csv.field_size_limit(MAX_CELL_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            separator = max(",;\t", key=head.count)
            lines = csv.DictReader(file, delimiter=separator, strict=True)
            there = [name.strip() for name in lines.fieldnames or ()]
            lines.fieldnames = there
            column = {name: options.columns.get(name, name) for name in FIELDS}
            needed = ["id", "achieved", *([] if options.annotator else ["annotator"])]
            needed += list(options.columns)
            for name in needed:
                if column[name] not in there:
                    raise UsageError(
                        f"{path}: column {column[name]} is missing; has {', '.join(there)}. Name"
                        f" it with --column {name}=NAME"
                    )
            for line in lines:
                yield lines.line_num, _csv_label(line, column)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from error


def _csv_label(line: Mapping[str, str | None], column: Mapping[str, str]) -> Label | ValueError:
    cell = {name: active((line.get(column[name]) or "").strip()) for name in (*FIELDS,)}
    extra = {name: active(line.get(name) or "") for name in ("reads", "set", "page")}
    try:
        names = [n.strip() for n in re.split(r"\s*[|;]\s*", cell["achieved"]) if n.strip()]
        if cell["unsure"].lower() not in ("", "yes", "no", "true", "false", "1", "0"):
            raise ValueError(f"column {column['unsure']} is {cell['unsure']!r}, expected yes or no")
        unsure = cell["unsure"].lower() in ("yes", "true", "1") or names == [UNSURE]
        return Label(
            cell["id"],
            cell["annotator"],
            () if unsure else _classes(names),
            tuple(n for n in re.split(r"\s*[|;]\s*", cell["asked"]) if n),
            unsure,
            _seconds(cell["seconds"] or 0),
            cell["at"],
            **extra,
        )
    except ValueError as error:
        return error


def _classes(names: list[str]) -> tuple[str, ...]:
    """Returns the subgoals among some choices.

    Raises:
        ValueError: `none` or `unsure` stands beside others.
    """
    alone = {NONE, UNSURE} & set(names)
    if alone and len(names) > 1:
        raise ValueError(f"{' and '.join(sorted(alone))} beside other choices")
    return () if alone else tuple(dict.fromkeys(names))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("a list of subgoals is no list of names")
    return value


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds):
        raise ValueError(f"seconds is {str(value)[:32]!r}, not a number")
    return seconds


def _matches(value: object) -> dict[str, dict[str, str | None]]:
    """Returns what a person took discovered subgoals to mean, by task; leaves out what is none."""
    if not isinstance(value, dict):
        return {}
    return {
        str(task): {
            str(name): meant
            for name, meant in of.items()
            if meant is None or isinstance(meant, str)
        }
        for task, of in value.items()
        if isinstance(of, dict)
    }
