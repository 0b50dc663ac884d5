"""Of which subgoals the truth is known: ours, word for word, and those of skill tasks."""

from dataclasses import replace

import pytest

from calm.errors import UsageError
from calm.records import Subgoal, Task
from envs.subgoals import SUBGOALS
from envs.tasks.skills import SKILLS
from envs.truth.make import check_truth, known_truth, with_truth

KEY, OWN = SUBGOALS["pick up the key"], Subgoal("sing", "The hero sings.")
EAT = SKILLS["MiniHack-Eat-v0"].task


def test_a_subgoal_of_ones_own_has_a_truth_if_it_is_ours_word_for_word() -> None:
    other = Subgoal(KEY.name, "The key is taken.")
    assert known_truth((OWN, KEY, other)) == (KEY,)
    assert with_truth(Task("Own-v0", "Sing.", (OWN, KEY))) == (KEY,)


def test_the_truth_of_a_skill_task_is_of_its_own_subgoals_alone() -> None:
    assert with_truth(EAT) == EAT.subgoals
    assert with_truth(replace(EAT, subgoals=(*EAT.subgoals, KEY))) == (KEY,)
    check_truth(EAT.id, EAT.subgoals)
    with pytest.raises(UsageError, match=f"'{EAT.subgoals[0].name}'"):
        check_truth("MiniHack-KeyRoom-S5-v0", EAT.subgoals)
