"""Brings the stores of several machines together: every answer and every call, by key.

A key is the hash of its question, so equal keys are equal questions, whoever asked. Where a
question has two different answers, the one that was there first stays. What a store is merged from
is one's own; answers of strangers come in through `calm store import`, which computes keys anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calm.errors import StoreError, UsageError
from calm.store.database import DAMAGED, Database
from calm.store.store import Store
from calm.store.tables.merging import Merging

_BLOCK = 5_000
LISTED = 1_000
"""Conflicts that a report lists, at most."""


@dataclass(frozen=True)
class Conflict:
    """One question with two different answers."""

    key: str
    """In hexadecimal."""
    task: str
    model: str
    text: str
    source: str
    """The file whose answer was not taken."""
    kept: tuple[str, str]
    """Verdict class and raw reply of the answer that stays; "unread" for one nobody has read."""
    left: tuple[str, str]
    """The same of the answer that was not taken."""


@dataclass
class MergeReport:
    """What a merge did."""

    new: int = 0
    """Answers that were taken in."""
    there: int = 0
    """Answers that were there already, the same."""
    conflicts: int = 0
    listed: list[Conflict] = field(default_factory=list)
    """The first `LISTED` of them."""
    open_batches: dict[str, int] = field(default_factory=dict)
    """By file, jobs of a Batch API that are not done, and which stay there."""


def merge_stores(
    sources: Sequence[Path],
    into: Path,
    progress: Callable[[str, int], None] = lambda source, answers: None,
) -> MergeReport:
    """Takes the answers and calls of some stores into one, in order; they are only read.

    Blocks of answers are committed one after the other. Stopped and run again it goes on, and a
    store that was taken in already adds nothing.

    Args:
        sources: files of stores.
        into: file of the store that takes them, made if missing; what it holds comes first.
        progress: called with a source and the number of its answers that are done.

    Raises:
        UsageError: a file is not there, or named twice. StoreError: one can't be read or written.
    """
    if not sources:
        raise UsageError("name the stores to merge, such as `calm store merge A B --into C`")
    for source in sources:
        if not source.is_file():
            raise UsageError(f"no store at {source}; nothing was merged")
        if into.exists() and source.samefile(into):
            raise UsageError(f"{source} is the store that the others are to be merged into")
    report = MergeReport()
    with Store(into) as store:
        for source in sources:
            _merge(store.database, source, report, progress)
    return report


def _merge(
    database: Database,
    source: Path,
    report: MergeReport,
    progress: Callable[[str, int], None],
) -> None:
    with Store(source, readonly=True) as opened:  # is it one, of a version that is known?
        uri = opened.database.uri
    merging = Merging(database, uri)
    try:
        merging.add_nouns()
        if jobs := merging.open_batches():
            report.open_batches[str(source)] = jobs
        merging.begin_calls()
        last_call = merging.last_call()
        for first in range(0, last_call, _BLOCK):
            merging.add_calls(first, first + _BLOCK)
        key, done = b"", 0
        while (end := merging.end_of_block(key, _BLOCK)) is not None:
            rows = merging.conflicts(key, end)
            new, answers = merging.add_answers(key, end)
            room = LISTED - len(report.listed)
            report.listed += [_conflict(source, *row) for row in rows[:room]]
            report.conflicts += len(rows)
            report.new += new
            report.there += answers - new - len(rows)
            key, done = end, done + answers
            progress(str(source), done)
    except StoreError:
        _check_sound(source)  # SQLite does not tell which of two files it could not read
        raise
    finally:
        merging.close()


def _check_sound(source: Path) -> None:
    """Raises StoreError where a file to be merged is damaged."""
    with Store(source, readonly=True) as opened:
        if opened.database.problems():
            raise StoreError(
                f"the store {source}: the file is {DAMAGED}; what was merged before it was met is"
                " kept"
            ) from None


def _conflict(
    source: Path,
    key: bytes,
    task: str,
    model: str,
    text: str,
    verdict: str | None,
    raw: str,
    left_verdict: str | None,
    left_raw: str,
) -> Conflict:
    kept, left = (verdict or "unread", raw), (left_verdict or "unread", left_raw)
    return Conflict(key.hex(), task, model, text, str(source), kept, left)
