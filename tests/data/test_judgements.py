"""Judges' answers come back from a file, in however many portions they were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from calm.records import Judgement, Usage, Verdict
from data.judgements import judgement_writer, read_judgements, write_judgements
from data.schema import JudgedTransition
from tests.support.key_and_door import KEY, says


def test_answers_come_back(tmp_path: Path) -> None:
    readable = Judgement(
        Verdict.OK, {KEY.name: True}, {KEY.name: 0.75}, "{}", "", Usage(1, 20, 5, 3, 0.5, None)
    )
    refusal = Judgement(Verdict.REFUSED, raw="I'd rather not.", reason="refusal")
    judged = [
        JudgedTransition("ab" * 32, "openai:m", "events", readable, 2, "role=none"),
        JudgedTransition("cd" * 32, "openai:m", "crop", refusal),
    ]
    write_judgements(tmp_path / "j.parquet", judged)
    assert read_judgements(tmp_path / "j.parquet") == judged


def test_the_same_rows_are_the_same_bytes_in_any_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.judgements.GROUP_ROWS", 5)
    rows = [JudgedTransition(f"{i:064}", "m", "events", says(KEY.name), i) for i in range(12)]
    write_judgements(tmp_path / "whole.parquet", rows)
    with judgement_writer(tmp_path / "portions.parquet") as write:
        for begin, end in ((0, 1), (1, 7), (7, 7), (7, 12)):
            write(rows[begin:end])
    whole = (tmp_path / "whole.parquet").read_bytes()
    assert (tmp_path / "portions.parquet").read_bytes() == whole
    metadata = pq.read_metadata(tmp_path / "whole.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [5, 5, 2]


def test_a_table_that_was_not_written_whole_is_not_there(tmp_path: Path) -> None:
    def rows() -> Iterator[JudgedTransition]:
        yield JudgedTransition("ab" * 32, "m", "events", says())
        raise KeyError("the judge")

    with pytest.raises(KeyError, match="the judge"):
        write_judgements(tmp_path / "j.parquet", rows())
    assert list(tmp_path.iterdir()) == []
    write_judgements(tmp_path / "empty.parquet", [])
    assert read_judgements(tmp_path / "empty.parquet") == []
