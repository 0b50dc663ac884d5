"""`calm bench judge`: its parts, each on little work."""

from __future__ import annotations

import math
import os

import pytest

from calm.bench import judge


@pytest.mark.slow
def test_a_share_of_the_ideal_is_a_share() -> None:
    share, ours, theirs = judge._share(at_once=2, latency=0.02, rounds=2)
    assert 0 < share <= 1.05  # timers may be early by a little
    assert ours > 0
    assert theirs >= 0


def test_an_opened_store_finds_all_that_it_holds() -> None:
    opened, stored = judge._start(300)
    assert len(opened) == len(stored) == 3
    assert min(opened) > 0
    assert min(stored) > 0


def test_processor_time_is_read_of_a_process_that_is_there() -> None:
    sum(i * i for i in range(200_000))
    assert judge._processor(os.getpid()) > 0
    assert math.isnan(judge._processor(2**22 + 1))


def test_lookups_are_counted_in_texts_a_second() -> None:
    assert judge._lookups(quick=True) > 1000
