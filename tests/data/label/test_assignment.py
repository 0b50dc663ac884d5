"""Who labels what: everybody as much, every transition often enough, and always the same."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from calm.errors import UsageError
from data.label.assignment import assign, read_people

IDS = [f"t{i}" for i in range(31)]


def test_each_transition_goes_to_as_many_people_and_all_have_as_many() -> None:
    of = assign(IDS, ["a", "b", "c", "d"], overlap=2, seed=3)
    times = Counter(id for ids in of.values() for id in ids)
    assert set(times.values()) == {2}
    assert len(times) == 31
    # 62 labels for four people: 15 or 16 each.
    assert sorted(len(ids) for ids in of.values()) == [15, 15, 16, 16]
    # Every pair has something in common, or its agreement could not be measured.
    assert all(of[a] & of[b] for a, b in combinations(of, 2))


def test_the_same_arguments_give_the_same_assignment() -> None:
    first = assign(IDS, ["a", "b", "c"], 2, 1)
    assert assign(IDS[::-1], ["a", "b", "c"], 2, 1) == first
    assert assign(IDS, ["a", "b", "c"], 2, 2) != first
    assert assign(IDS, ["a", "b"], 2) == {"a": set(IDS), "b": set(IDS)}


def test_names_and_numbers_that_cannot_be_are_told() -> None:
    assert read_people("ann, bob") == ("ann", "bob")
    with pytest.raises(UsageError, match="names 'Ann' twice"):
        read_people("ann,bob,Ann")
    with pytest.raises(UsageError, match="1 to 64 printable"):
        read_people("ann,")
    with pytest.raises(UsageError, match="--overlap is 3, expected 1 to the 2 people"):
        assign(IDS, ["a", "b"], 3)
