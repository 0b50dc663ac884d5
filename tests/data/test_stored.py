"""Rows and answers that lie in files are those of a list, read from front to back or singly."""

from pathlib import Path

import numpy as np
import pytest

from calm.records import Screen
from data.parquet import read_transitions, write_transitions
from data.schema import JudgedTransition
from data.stored import (
    StoredRows,
    in_blocks,
    items_at,
    items_where,
    joined,
    open_part,
    outlines,
    stored_like,
    with_screens,
)
from tests.support.key_and_door import KEY, TASK, key_and_door_rows, says


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """23 rows, read five at a time."""
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 5)
    monkeypatch.setattr("data.stored.BLOCK", 5)
    screen = Screen("@.", "77")
    rows = [
        type(row)(row.transition, row.truth, row.provenance, screen, screen)
        for row in key_and_door_rows(23)
    ]
    write_transitions(tmp_path / "t.parquet", rows, {TASK.id: TASK})
    return tmp_path / "t.parquet"


def stored(path: Path) -> StoredRows:
    rows = open_part(path, in_memory=0).rows
    assert isinstance(rows, StoredRows)
    return rows


def test_rows_are_those_of_the_file(path: Path) -> None:
    rows, whole = stored(path), read_transitions(path).rows
    assert len(rows) == 23
    assert with_screens(rows) == list(whole)
    assert [row.transition for row in rows] == [row.transition for row in whole]
    assert all(row.before is None for row in rows)  # which no judge reads
    assert [outline.id for outline in outlines(rows)] == [row.transition.id for row in whole]
    assert list(outlines(rows)) == list(outlines(whole))
    assert [len(block) for block in in_blocks(rows)] == [5, 5, 5, 5, 3]
    assert [len(block) for block in in_blocks(whole)] == [23]


@pytest.mark.parametrize("indices", [[], [0], [22], [0, 4, 5, 6, 21], list(range(23))])
def test_some_rows_are_those_of_the_list(path: Path, indices: list[int]) -> None:
    whole = [row.transition for row in read_transitions(path).rows]
    rows = items_at(stored(path), np.array(indices, np.int64))
    assert [row.transition for row in rows] == [whole[i] for i in indices]
    assert [outline.id for outline in outlines(rows)] == [whole[i].id for i in indices]
    every_other = items_where(rows, [i % 2 == 0 for i in range(len(indices))])
    assert [row.transition for row in every_other] == [whole[i] for i in indices[::2]]


def test_single_rows_in_any_order(path: Path) -> None:
    rows, whole = stored(path), [row.transition for row in read_transitions(path).rows]
    for i in (0, 0, 3, 4, 20, 2, 22, -1, 21):
        assert rows[i].transition == whole[i]
    assert [row.transition for row in rows[3:6]] == whole[3:6]
    with pytest.raises(IndexError):
        rows[23]


def test_a_small_part_is_in_memory(path: Path) -> None:
    assert isinstance(open_part(path, in_memory=23).rows, list)


def test_answers_lie_where_the_rows_do(path: Path) -> None:
    rows = stored(path)
    answers = [
        JudgedTransition(row.transition.id, "m", "events", says(KEY.name), 0, f"{i}")
        for i, row in enumerate(rows)
    ]
    assert stored_like(list(rows), iter(answers)) == answers
    kept = stored_like(rows, iter(answers))
    assert not isinstance(kept, list)
    # Read by several at once, each at a place of its own.
    assert list(zip(kept, kept, strict=True)) == list(zip(answers, answers, strict=True))
    both = joined([kept, answers[:2]])
    assert list(both) == [*answers, *answers[:2]]
    assert (len(both), both[22], both[23], both[-1]) == (
        25, answers[22], answers[0], answers[1],
    )  # fmt: skip
    assert both[21:24] == [answers[21], answers[22], answers[0]]
    assert joined([answers[:1], answers[:1]]) == answers[:1] * 2
    of_tables = joined([both, both])  # what lies in files is not read into memory by joining twice
    assert not isinstance(of_tables, list)
    assert list(of_tables) == list(both) * 2
