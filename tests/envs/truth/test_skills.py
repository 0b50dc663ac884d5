"""Truth of the skill tasks in played-out situations, their player, the rules over their words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from minihack.envs.exploremaze import MiniHackExploreMaze, MiniHackExploreMazeEasy
from nle import nethack

from calm.judges.rules import RulesJudge
from calm.records import Transition
from envs.collect import play
from envs.events.stream import EventStream
from envs.game.goal import LOST, WON
from envs.players.skill import SkillPlayer
from envs.stepping.batch import Batch
from envs.tasks.skills import MAZES, RULES, SKILLS
from envs.truth.skills import SkillTruth
from envs.truth.stream import TruthStream

BLUE_JELLY = nethack.GLYPH_MON_OFF + next(
    i for i in range(nethack.NUMMONS) if nethack.permonst(i).mname == "blue jelly"
)


SHORT = ("Eat", "Wear", "Wield", "Zap", "PutOn", "Read", "Pray", "Sink", "Wield-Distr",
         "Freeze-Random-Restricted", "Freeze-Horn-Full")  # fmt: skip
"""Played by the fast tests: one of each kind and deed."""


@pytest.mark.parametrize(
    "id",
    [pytest.param(id, marks=[] if id[9:-3] in SHORT else [pytest.mark.slow]) for id in SKILLS],
)
def test_the_player_does_the_deed_and_truth_and_rules_see_it(id: str) -> None:
    skill = SKILLS[id]
    rows = list(play(skill.task, "scripted", episodes=3, seed=4))
    get, deed = (s.name for s in skill.task.subgoals)
    # A bolt of cold that bounces back may kill, and so may a god; of two apples none is eaten.
    won = [p.transition.texts["events"].endswith("\nThe episode ended.") for p in rows]
    assert [p.truth[deed] for p in rows] == won
    assert sum(won) >= 1
    assert all(float(p.provenance["reward"]) == 1 for p, yes in zip(rows, won, strict=True) if yes)
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


MAZE = MAZES["MiniHack-ExploreMaze-Easy-v0"]
CELLAR = """MAZE: "mylevel", ' '
FLAGS: hardfloor
GEOMETRY: center, center
MAP
|-----|
|.....|
|-----|
ENDMAP
REGION: (0,0,6,2), lit, "ordinary"
BRANCH: (1,1,1,1), (0,0,0,0)
OBJECT: ('%', "apple"), (2,1)
OBJECT: ('%', "apple"), (4,1)
STAIR: (5,1), down
"""


def test_an_apple_of_a_maze_is_eaten_where_minihack_pays_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MiniHackExploreMazeEasy, "__init__", _with_cellar)
    index = MAZE.task.actions.index
    east, eat, yes = index("move east"), index("eat"), index("move northwest")
    keys = (*SkillTruth.keys, *EventStream.keys)
    with Batch(MAZE.task.id, 1, keys, native=False) as batch:
        truth, events = SkillTruth(MAZE, batch), EventStream(MAZE.task.id, batch)
        batch.observers += [truth, events]
        batch.reset([0])
        done, rewards, judged = [], [], []
        judge = RulesJudge()
        for action in (east, eat, yes, east, east, eat, yes, east):
            rewards.append(float(batch.step([action])[0][0]))
            done.append(
                {s.name for s, a in zip(truth.subgoals, truth.achieved[0], strict=True) if a}
            )
            text = events.texts[events.ids[0]]
            row = Transition(MAZE.task.id, {"events": text}, "any", "e", 0, False, False)
            (judgement,) = judge.judge(MAZE.task, MAZE.task.subgoals, [row])
            judged.append({name for name, yes in judgement.achieved.items() if yes})
        assert batch.status[0] == WON
    onto, eaten, beside = "step onto the apple", "eat the apple", "stand next to the staircase down"
    assert done == [
        {onto},
        set(),
        {eaten},
        set(),
        {onto, beside},
        set(),
        {eaten},
        {"reach the staircase down"},
    ]
    assert judged == done
    assert [round(r, 2) for r in rewards] == [0, -0.01, 0.5, 0, 0, -0.01, 0.5, 1]


def _with_cellar(self: MiniHackExploreMazeEasy, *args: Any, **kwargs: Any) -> None:
    """Makes the maze with a level of ours in place of its own."""
    MiniHackExploreMaze.__init__(self, *args, des_file=CELLAR, **kwargs)


@pytest.mark.parametrize(("seed", "status"), [(0, WON), (0, LOST)])
def test_the_branch_of_the_trap_is_lost_and_that_of_the_bug_won(seed: int, status: int) -> None:
    """Memento-Short: a jelly beside the start, so the bug is in the upper branch."""
    east, north, south = 1, 0, 2
    up = status == WON
    way = [east] * 7 + [north if up else south] * 3 + [east] * 20
    with Batch("MiniHack-Memento-Short-F2-v0", 1, TruthStream.keys, native=False) as batch:
        truth = TruthStream(batch.task, None, batch)
        batch.observers.append(truth)
        batch.reset([seed])
        assert BLUE_JELLY in batch.arrays["glyphs"][0]
        achieved = []
        for action in way:
            reward, terminated, _ = batch.step([action])
            achieved.append(truth.achieved[0].tolist())
            if terminated[0]:
                break
        assert (batch.status[0], terminated[0]) == (status, True)
    assert reward[0] == (1 if up else -1)
    assert ([0, 1, 0] in achieved) == up  # beside the bug
    assert (achieved[-1][2] == 1) == up  # killed


@pytest.mark.parametrize(("descriptions", "done"), [(1, 0), (3, 1)])
def test_a_deed_that_is_said_before_a_more_is_done_where_the_texts_hear_it(
    descriptions: int, done: int
) -> None:
    keys = (*SkillTruth.keys, "message")
    with Batch("MiniHack-Wear-v0", 1, keys, descriptions=descriptions, native=False) as batch:
        truth = SkillTruth(SKILLS["MiniHack-Wear-v0"], batch)
        batch.reset()
        truth.on_reset(np.arange(1))
        messages = b"You are now wearing a robe. The newt bites!"
        if "messages" in batch.arrays:
            batch.arrays["messages"][0, : len(messages)] = np.frombuffer(messages, np.uint8)
        running = np.zeros(1, np.bool_)
        for ended, expected in ((running, done), (~running, done)):
            truth.on_step(np.zeros(1, np.int64), ended, running)
            assert truth.achieved.tolist() == [[0, expected]]
        batch.arrays["blstats"][0, nethack.NLE_BL_HP] = 0  # what a dying hero does is not told
        truth.on_step(np.zeros(1, np.int64), ~running, running)
        assert truth.achieved.tolist() == [[0, 0]]
