"""Rows in blocks and shards are the rows of the part, in order, each once."""

import tracemalloc
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.records import LabelledTransition, Subgoal, Task, Transition
from data.annotation import AnnotationPlan, annotate_rows
from data.judgements import read_judgements, write_judgements
from data.parquet import read_transitions, write_transitions
from data.rows import Shard, open_rows, read_shard
from data.schema import JudgedTransition
from tests.support.command_line import calm

KEY = Subgoal("take the key", "The key is carried after the step.")
TASKS = {name: Task(name, "Find the stairs.", (KEY,)) for name in ("A", "B")}


def row(task: str, i: int) -> LabelledTransition:
    text = f"Action: north.\nThe hero has moved {i} times." + " It took the key." * (i % 5 == 0)
    transition = Transition(task, {"events": text}, "north", f"e{i // 10}", i % 10)
    return LabelledTransition(transition, {KEY.name: i % 5 == 0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """23 rows of two tasks, mixed."""
    rows = [row("B" if i % 3 else "A", i) for i in range(23)]
    write_transitions(tmp_path / "t.parquet", rows, TASKS)
    return tmp_path / "t.parquet"


def ids(path: Path, shard: Shard | None = None, limit: int = 0) -> list[str]:
    rows = open_rows(str(path), shard=shard, limit=limit)
    streamed = [t.id for task in rows.tasks for block in rows.blocks(task) for t in block]
    assert len(streamed) == sum(rows.counts.values())
    return streamed


def test_blocks_hold_every_row_once_task_after_task(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 4)
    whole = read_transitions(path).rows
    expected = [r.transition.id for task in TASKS for r in whole if r.transition.task == task]
    assert ids(path) == expected
    sizes = [len(block) for block in open_rows(str(path)).blocks("B")]
    assert sizes == [4, 4, 4, 3]


@pytest.mark.parametrize("of", [1, 2, 3, 8, 23, 40])
@pytest.mark.parametrize("limit", [0, 7])
def test_shards_are_the_whole_one_after_the_other(path: Path, of: int, limit: int) -> None:
    parts = [ids(path, Shard(number, of), limit) for number in range(1, of + 1)]
    assert [id for part in parts for id in part] == ids(path, limit=limit)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/3", "1/2/3"])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="the third of eight"):
        read_shard(text)


def test_a_shard_that_is_one() -> None:
    assert read_shard("3/8") == Shard(3, 8)


def test_the_table_is_the_same_bytes_in_blocks_in_shards_and_at_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["annotate", "--data", path, "--judge", "always-yes", "--out"]
    calm(*words, tmp_path / "whole.parquet")
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 4)
    calm(*words, tmp_path / "blocks.parquet")
    assert (tmp_path / "blocks.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    rows = []
    for number in (1, 2, 3):
        calm(*words, tmp_path / f"{number}.parquet", "--shard", f"{number}/3")
        rows += read_judgements(tmp_path / f"{number}.parquet")
    write_judgements(tmp_path / "together.parquet", rows)
    assert (tmp_path / "together.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_summary_over_blocks_is_that_of_the_whole(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 4)
    taken: list[JudgedTransition] = []
    plan = AnnotationPlan("always-no", str(path), store=tmp_path / "s.sqlite")
    a, b = annotate_rows(plan, taken.extend)
    assert (a.transitions, a.distinct, b.transitions, b.distinct) == (8, 8, 15, 15)
    assert a.verdicts == {"ok": 8}
    assert len(taken) == 23


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 256)
    peaks = []
    for rows in (1_000, 8_000):
        path = tmp_path / f"{rows}.parquet"
        write_transitions(path, [row("A", i) for i in range(rows)], TASKS)
        plan = AnnotationPlan("always-no", str(path), store=tmp_path / "s.sqlite")
        tracemalloc.start()
        [summary] = annotate_rows(plan, lambda answers: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.transitions == summary.distinct == rows
    small, large = peaks
    assert large < 2 * small, peaks


def test_a_part_that_is_not_there_and_an_empty_one_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown part"):
        open_rows(str(path), "natural")
    write_transitions(tmp_path / "empty.parquet", [], {})
    with pytest.raises(UsageError, match="holds no transitions"):
        open_rows(str(tmp_path / "empty.parquet"))
