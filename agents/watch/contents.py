"""Finds what there is to watch in folders: runs, stores, evaluations, tables of answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from agents.training.run.find import CONFIG, matching, walk
from calm.errors import UsageError
from calm.store.schema import APPLICATION_ID

STORES = (".sqlite", ".sqlite3", ".db")
"""Endings of the names of stores; one that is named itself needs none."""
EVALUATION = "evaluate.json"
MOST_FOLDERS = 20_000
"""Folders that are looked into, at most."""
EXPECTED = (
    "expected the folder of a run or of several (`calm train`), of a study (`calm study`) or of a"
    f" demo, the folder of `calm evaluate --out` ({EVALUATION} in it), a table of answers"
    " (`calm annotate --out`), or a store (`calm.sqlite`), or a folder with one of these in it"
)


@dataclass
class Contents:
    """What there is to watch, by kind."""

    runs: list[Path] = field(default_factory=list)
    """Folders."""
    stores: list[Path] = field(default_factory=list)
    """SQLite files."""
    evaluations: list[Path] = field(default_factory=list)
    """`evaluate.json` files."""
    answers: list[Path] = field(default_factory=list)
    """Parquet files of judges' answers."""

    def __bool__(self) -> bool:
        return bool(self.runs or self.stores or self.evaluations or self.answers)


def contents_of(names: Sequence[str | Path]) -> Contents:
    """Returns what there is to watch at or below each of the paths or patterns, each once.

    Raises:
        UsageError: one names nothing, or nothing that can be watched; says what was expected.
    """
    contents = Contents()
    for name in names:
        of_name = Contents()
        for path in matching(name):
            _add(of_name, path)
        if not of_name:
            raise UsageError(f"{name} {_what_is_wrong(name)}: {EXPECTED}")
        for kind, paths in vars(of_name).items():
            known = getattr(contents, kind)
            known += [path for path in paths if path not in known]
    return contents


def _what_is_wrong(name: str | Path) -> str:
    paths = matching(name)
    if not paths:
        return "is not there"
    if all(path.is_dir() and not any(path.iterdir()) for path in paths):
        return "is empty"
    return "holds nothing to watch"


def _add(contents: Contents, path: Path) -> None:
    """Adds what a path is, or what is below it."""
    if path.is_file():
        _add_file(contents, path, path.suffix or STORES[0])
        return
    for folder, _, files in islice(walk(path), MOST_FOLDERS):
        if CONFIG in files:
            contents.runs.append(folder)
        else:
            for name in files:
                _add_file(contents, folder / name, Path(name).suffix)


def _add_file(contents: Contents, path: Path, suffix: str) -> None:
    if path.name == EVALUATION:
        contents.evaluations.append(path)
    elif suffix == ".parquet" and _holds_answers(path, _stamp(path)):
        contents.answers.append(path)
    elif suffix in STORES and _is_store(path):
        contents.stores.append(path)


def _stamp(path: Path) -> int:
    """Returns when a file was last written, 0 where it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_store(path: Path) -> bool:
    """Returns whether a file is a store, by its head; one just begun says so in its log alone."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError:
        return False
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        return False
    (application,) = struct.unpack(">I", head[68:72])
    return application == APPLICATION_ID or (application == 0 and Path(f"{path}-wal").exists())


@lru_cache(maxsize=10_000)
def _holds_answers(path: Path, _stamp: int) -> bool:
    """Returns whether a parquet file says that it holds judges' answers."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except Exception:  # pyarrow raises many kinds for what is no parquet
        return False
    return bool(metadata.get(b"calm.table") == b"judgements")
