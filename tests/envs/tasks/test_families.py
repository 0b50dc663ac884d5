"""Goals and subgoals by family: names that are known, each id in one family alone."""

import re

import pytest

from envs.subgoals import SUBGOALS
from envs.tasks import task
from envs.tasks.described import TASKS
from envs.tasks.families import _FAMILIES, words_of
from envs.tasks.registered import registered_ids
from envs.tasks.skills import BY_ID
from envs.truth.make import with_truth

E3B = (
    "MultiRoom-N4-Locked", "MultiRoom-N6-Lava", "MultiRoom-N6-Lava-OpenDoor",
    "MultiRoom-N6-LavaMonsters", "MultiRoom-N10-OpenDoor", "MultiRoom-N10-Lava-OpenDoor",
    "LavaCrossingS19N13", "LavaCrossingS19N17", "Labyrinth-Big", "Levitate-Potion-Restricted",
    "Levitate-Boots-Restricted", "LavaCross-Restricted", "WoD-Hard-Restricted",
    "Freeze-Horn-Restricted", "Freeze-Wand-Restricted", "Freeze-Random-Restricted",
)  # fmt: skip
"""The sixteen of arXiv 2210.05805."""


def test_every_listed_family_has_ids_and_known_subgoals() -> None:
    names = [id.removeprefix("MiniHack-").rpartition("-v")[0] for id in registered_ids()]
    for family in _FAMILIES:
        assert any(re.fullmatch(family.ids, name) for name in names), family.ids
        assert set(family.subgoals) <= set(SUBGOALS)
        assert len(set(family.subgoals)) == len(family.subgoals)
        assert ("reach the staircase down" in family.subgoals) == ("staircase" in family.goal)


def test_every_id_has_words_and_none_is_in_two_families() -> None:
    for id in registered_ids():
        name = id.removeprefix("MiniHack-").rpartition("-v")[0]
        assert sum(bool(re.fullmatch(f.ids, name)) for f in _FAMILIES) <= 1, id
        elsewhere = id in TASKS or id in BY_ID or "-Custom-" in id
        assert (words_of(id) is None) == elsewhere, id


@pytest.mark.parametrize("name", E3B)
def test_the_tasks_of_the_literature_have_subgoals(name: str) -> None:
    described = task(name)
    assert with_truth(described) == described.subgoals
    assert len(described.subgoals) >= 2
