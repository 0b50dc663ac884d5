"""Counts of what is done, and whoever shows them."""

from calm.asking.tally import Tally
from calm.records import Verdict


def test_whoever_shows_the_counts_is_called_with_them() -> None:
    shown: list[tuple[int, int]] = []
    tally = Tally(3, on_change=lambda t: shown.append((t.answered, t.verdicts[Verdict.OK])))
    tally.answered += 1
    tally.verdicts[Verdict.OK] += 1
    tally.changed()
    tally.answered += 1
    tally.changed()
    assert shown == [(1, 1), (2, 1)]
    Tally().changed()  # nobody is told, and nothing fails
