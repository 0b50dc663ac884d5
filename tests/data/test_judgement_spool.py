"""Answers in a temporary file are read back by their numbers, by several readers at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calm.errors import CalmError
from data.judgement_spool import JudgementSpool
from data.schema import JudgedTransition
from tests.support.key_and_door import KEY, says

ANSWERS = [JudgedTransition(f"{i:064}", "m", "events", says(KEY.name), i) for i in range(12)]


@pytest.fixture
def spool(monkeypatch: pytest.MonkeyPatch) -> JudgementSpool:
    """Twelve answers in groups of five."""
    monkeypatch.setattr("data.parquet_file.BATCH_ROWS", 5)
    return JudgementSpool(iter(ANSWERS))


@pytest.mark.parametrize("numbers", [[], [0], [11], [4, 5, 10], list(range(12))])
def test_some_answers_by_their_numbers(spool: JudgementSpool, numbers: list[int]) -> None:
    assert list(spool(np.array(numbers, np.int32))) == [ANSWERS[i] for i in numbers]


def test_two_readers_at_once_have_places_of_their_own(spool: JudgementSpool) -> None:
    every, last = np.arange(12, dtype=np.int32), np.array([9, 10, 11], np.int32)
    pairs = list(zip(spool(every), spool(last), strict=False))
    assert pairs == list(zip(ANSWERS[:3], ANSWERS[9:], strict=True))


def test_a_folder_that_cannot_hold_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(CalmError, match=r"can't be kept in a temporary file in .*absent"):
        JudgementSpool(ANSWERS)
