"""Truth of the skill tasks in played-out situations, their player, the rules over their words."""

from __future__ import annotations

import numpy as np
import pytest

from calm.judges.rules import RulesJudge
from envs.collect import play
from envs.players.skill import SkillPlayer
from envs.stepping.batch import Batch
from envs.tasks.skills import RULES, SKILLS
from envs.truth.skills import SkillTruth


@pytest.mark.parametrize("id", SKILLS)
def test_the_player_does_the_deed_and_truth_and_rules_see_it(id: str) -> None:
    skill = SKILLS[id]
    rows = list(play(skill.task, "scripted", episodes=3, seed=4))
    ends = [p for p in rows if p.transition.terminated]
    assert len(ends) == 3
    get, deed = (s.name for s in skill.task.subgoals)
    assert [p.truth[deed] for p in rows] == [p.transition.terminated for p in rows]
    assert sum(p.truth[get] for p in rows) == 3
    judged = RulesJudge(rules=RULES).judge(
        skill.task, skill.task.subgoals, [p.transition for p in rows]
    )
    assert [dict(j.achieved) for j in judged] == [dict(p.truth) for p in rows]


def test_the_same_seed_gives_the_same_steps() -> None:
    skill = SKILLS["MiniHack-Wear-v0"]
    first, again = (list(play(skill.task, "sloppy", episodes=1, seed=9)) for _ in range(2))
    assert first == again
    other = next(iter(play(skill.task, "sloppy", episodes=1, seed=10)))
    assert other.provenance["level_seed"] != first[0].provenance["level_seed"]


def test_a_thing_dropped_and_taken_again_is_taken_twice() -> None:
    skill = SKILLS["MiniHack-Wield-v0"]
    keys = (*SkillPlayer.keys, *SkillTruth.keys)
    with Batch(skill.task.id, 1, keys, split="data", seed=0, native=False) as batch:
        truth = SkillTruth(skill, batch)
        batch.observers.append(truth)
        batch.reset()
        player = SkillPlayer(skill)
        index = skill.task.actions.index

        def do(action: int) -> list[int]:
            batch.step(np.array([action]))
            return [int(v) for v in truth.achieved[0]]

        def to_the_dagger() -> None:
            while True:
                action = player.act({key: batch.arrays[key][0] for key in player.keys})
                if action == index("pick up"):
                    return
                assert do(action) == [0, 0]

        to_the_dagger()
        assert do(index("pick up")) == [1, 0]
        assert do(index("pick up")) == [0, 0]  # nothing is left to take
        assert do(index("drop")) == [0, 0]
        held = np.flatnonzero(np.isin(batch.arrays["inv_glyphs"][0], player._glyphs))
        letter = int(batch.arrays["inv_letters"][0][held[0]])
        assert do(player._key[letter]) == [0, 0]
        assert do(index("pick up")) == [1, 0]
        assert do(index("wield")) == [0, 0]  # only asked which
        assert do(index("cancel")) == [0, 0]


def test_standing_on_the_apple_counts_when_it_begins() -> None:
    skill = SKILLS["MiniHack-Eat-v0"]
    rows = list(play(skill.task, "sloppy", episodes=4, seed=2))
    onto = [p for p in rows if p.truth["step onto the apple"]]
    assert onto
    for p in onto:
        assert "The hero came onto an object" in p.transition.texts["events"]
