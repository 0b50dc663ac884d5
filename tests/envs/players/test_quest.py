"""The quester: through all three quests and the like, by what it finds."""

from __future__ import annotations

from collections import Counter

import pytest

from envs.collect import play

SHORT = 11
"""A seed whose first maze is soon gone through."""


def deeds(task: str, episodes: int, seed: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for p in play(task, "quester", episodes=episodes, seed=seed):
        counts.update(name for name, yes in p.truth.items() if yes)
    return counts


def test_it_freezes_lava_and_reaches_the_stairs() -> None:
    counts = deeds("Quest-Easy", 2, 5)
    assert counts["reach the staircase down"] == 2
    assert counts["turn lava into solid ground"] >= 2
    assert counts["cross the water or lava"] == 2


@pytest.mark.parametrize(
    ("task", "deed"),
    [("Levitate-Boots-Restricted", "float in the air"), ("Levitate-Ring-Full", "float in the air"),
     ("LavaCross-Levitate-Ring-Inv-Restricted", "cross the water or lava"),
     ("LavaCross-Levitate-Potion-Pickup-Restricted", "reach the staircase down"),
     ("Freeze-Lava-Restricted", "turn lava into solid ground"),
     ("WoD-Easy-Restricted", "kill the minotaur"), ("WoD-Medium-Full", "kill the minotaur")],
)  # fmt: skip
def test_it_does_the_deed_of_smaller_tasks(task: str, deed: str) -> None:
    assert deeds(task, 2, 5)[deed] >= 2


def test_it_fights_where_nothing_lies() -> None:
    assert deeds("CorridorBattle-Dark", 4, 5)["kill a giant rat"] >= 4


def test_it_takes_the_items_crosses_and_kills_the_minotaur() -> None:
    counts = deeds("Quest-Hard", 1, SHORT)
    assert counts["pick up an object"] == 2
    assert counts["cross the water or lava"] == 1
    assert counts["kill a monster"] == 1
    assert counts["reach the staircase down"] == 1


@pytest.mark.slow
def test_most_hard_quests_are_finished_by_freezing_or_by_floating() -> None:
    counts = deeds("Quest-Hard", 24, 5)
    assert counts["reach the staircase down"] >= 16
    assert counts["cross the water or lava"] >= 16
    assert counts["kill a monster"] >= 16
    assert counts["float in the air"] >= 4
    assert counts["turn lava into solid ground"] >= 8
