"""Goals and subgoals by family: names that are known, each id in one family alone."""

import re

import pytest

from envs.subgoals import SUBGOALS
from envs.tasks.described import TASKS
from envs.tasks.families import _FAMILIES, words_of
from envs.tasks.registered import registered_ids
from envs.tasks.skills import SKILLS

E3B = (
    "MultiRoom-N4-Locked", "MultiRoom-N6-Lava", "MultiRoom-N6-Lava-OpenDoor",
    "MultiRoom-N6-LavaMonsters", "MultiRoom-N10-OpenDoor", "MultiRoom-N10-Lava-OpenDoor",
    "LavaCrossingS19N13", "LavaCrossingS19N17", "Labyrinth-Big", "Levitate-Potion-Restricted",
    "Levitate-Boots-Restricted", "LavaCross-Restricted", "WoD-Hard-Restricted",
)  # fmt: skip
"""Of the sixteen of arXiv 2210.05805 those whose deeds the engine tells; three freeze nothing."""


def test_every_listed_family_has_ids_and_known_subgoals() -> None:
    names = [id.removeprefix("MiniHack-").rpartition("-v")[0] for id in registered_ids()]
    for family in _FAMILIES:
        assert any(re.fullmatch(family.ids, name) for name in names), family.ids
        assert set(family.subgoals) <= set(SUBGOALS)
        assert len(set(family.subgoals)) == len(family.subgoals)
        assert ("reach the staircase down" in family.subgoals) == ("staircase" in family.goal)


def test_no_id_is_in_two_families() -> None:
    for id in registered_ids():
        name = id.removeprefix("MiniHack-").rpartition("-v")[0]
        assert sum(bool(re.fullmatch(f.ids, name)) for f in _FAMILIES) <= 1, id
        if id in TASKS or id in SKILLS:
            assert words_of(id) is None, id


@pytest.mark.parametrize("name", E3B)
def test_the_tasks_of_the_literature_have_subgoals(name: str) -> None:
    words = words_of(f"MiniHack-{name}-v0")
    assert words is not None
    assert len(words[1]) >= 2


def test_what_no_one_can_see_has_none() -> None:
    assert words_of("MiniHack-Memento-F2-v0") is None
    assert words_of("MiniHack-Sokoban1a-v1") is None
