"""Conditions of reward managers, pits and fountains, on arrays written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nle import nethack

from envs.game.conditions import Condition
from envs.game.engine import ENGINE_KEYS
from envs.game.glyphs import ALTAR, SINK
from envs.game.goal import RUNNING, WON, Goal
from envs.game.minihack_env import make_minihack
from envs.game.rules import read_rules

PRAY, YES, NORTH = int(nethack.Command.PRAY), ord("y"), ord("k")
SQUEAK = Condition("message", -1.0, (b"squeak",), sufficient=True)
KILL = Condition("message", 1.0, (b"You kill the grid bug",), sufficient=True)


class Screen:
    """One game's arrays, and its goal by some conditions or none."""

    def __init__(self, *conditions: Condition, **rules: Any) -> None:
        env = make_minihack("MiniHack-Eat-v0")
        rules_of_eat = read_rules(env)
        env.close()
        self.rows = {key: np.zeros(*ENGINE_KEYS[key]) for key in ENGINE_KEYS}
        self.goal = Goal(replace(rules_of_eat, conditions=conditions, **rules), self.rows)
        self.goal.begin()

    def step(self, message: str = "", key: int = NORTH, stairs: bool = False) -> tuple[bool, float]:
        """Shows what a step led to; returns whether the goal is reached, and the reward."""
        self.rows["message"][:] = np.frombuffer(message.encode().ljust(256, b"\0"), np.uint8)
        self.rows["internal"][4] = stairs
        reached = self.goal.reached(key)
        return reached, self.goal.reward(WON if reached else RUNNING)


def test_any_of_the_texts_reaches_a_goal_of_one_condition() -> None:
    screen = Screen(Condition("message", 1.0, (b"delicious", b"Core dumped.")))
    assert screen.step("You see here an apple.") == (False, 0.0)
    assert screen.step("Core dumped.  Really.") == (True, 1.0)


def test_a_sufficient_condition_ends_it_without_the_other() -> None:
    assert Screen(SQUEAK, KILL).step("A board beneath you squeaks.") == (True, -1.0)
    assert Screen(SQUEAK, KILL).step("You kill the grid bug!") == (True, 1.0)


def test_all_that_are_required_have_to_be_achieved_and_each_pays_once() -> None:
    first, second = (Condition("message", r, (t,)) for r, t in ((0.5, b"one"), (2.0, b"two")))
    screen = Screen(first, second)
    assert [screen.step(text) for text in ("one", "one", "two")] == [
        (False, 0.5),
        (False, 0.0),
        (True, 2.0),
    ]


def test_what_is_repeatable_pays_every_time_and_the_stairs_end_it() -> None:
    """ExploreMaze: half a point for an apple, one for the stairs."""
    apple = Condition("message", 0.5, (b"delicious",), repeatable=True, required=False)
    never = Condition("message", 1.0, (b"Mission Complete.",), sufficient=True)
    stairs = Condition("stairs", 1.0, repeatable=True, required=False)
    screen = Screen(apple, never, stairs)
    assert screen.step("This is delicious!") == (False, 0.5)
    assert screen.step("This is delicious!") == (False, 0.5)
    assert screen.step("This is delicious!", stairs=True) == (True, 1.5)


def test_a_deed_is_its_key_where_nothing_shows_the_place_and_then_yes() -> None:
    screen = Screen(Condition("deed", 1.0, (), ALTAR, PRAY))
    screen.rows["glyphs"][3, 4] = ALTAR
    assert [screen.step(key=key)[0] for key in (PRAY, YES)] == [False, False]
    screen.rows["glyphs"][3, 4] = SINK
    assert [screen.step(key=key)[0] for key in (PRAY, NORTH, YES)] == [False, False, False]
    assert [screen.step(key=key) for key in (PRAY, YES)] == [(False, 0.0), (True, 1.0)]


def test_a_deed_that_is_repeatable_pays_for_every_yes_until_another_key() -> None:
    screen = Screen(Condition("deed", 1.0, (), ALTAR, PRAY, repeatable=True))
    paid = [screen.step(key=key)[1] for key in (PRAY, YES, YES, NORTH, YES)]
    assert paid == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_an_episode_begins_with_nothing_achieved_or_begun() -> None:
    screen = Screen(Condition("message", 1.0, (b"one",)), Condition("deed", 1.0, (), SINK, PRAY))
    screen.step("one", PRAY)
    screen.step()
    screen.goal.begin()
    assert screen.step(key=YES) == (False, 0.0)
    assert screen.step("one") == (False, 1.0)


def test_a_first_observation_pays_with_the_first_step() -> None:
    screen = Screen(Condition("message", 1.0, (b"one",)))
    screen.rows["message"][:3] = np.frombuffer(b"one", np.uint8)
    screen.goal.begin()
    assert screen.step() == (True, 1.0)


def test_every_pit_that_is_gone_pays_and_the_stairs_win_without_pits() -> None:
    screen = Screen(reward_win=1.0, reward_step=-0.001, to_be_gone="^", reward_gone=0.1)
    chars = screen.rows["chars"]
    chars[2, 3:5] = ord("^")
    screen.goal.begin()
    assert screen.step() == (False, -0.001)
    chars[2, 3] = ord(".")
    assert screen.step(stairs=True) == (False, pytest.approx(0.099))
    chars[2, 3] = ord("^")
    assert screen.step() == (False, pytest.approx(-0.101))
    chars[2, 3:5] = ord(".")
    assert screen.step(stairs=True) == (True, 1.0)


def test_all_boulders_on_fountains_win_without_stairs_and_each_pays() -> None:
    screen = Screen(
        reward_win=1.0, reward_step=-0.001, to_be_gone="{", covered_by="`", reward_gone=0.1
    )
    chars = screen.rows["chars"]
    chars[2, 3:5] = ord("{")
    screen.goal.begin()
    assert screen.step(stairs=True) == (False, -0.001)
    chars[2, 3] = ord("@")  # the hero stands on it: it is no less to be covered
    assert screen.step() == (False, -0.001)
    chars[2, 3] = ord("`")
    assert screen.step() == (False, pytest.approx(0.099))
    chars[2, 4] = ord("`")
    assert screen.step() == (True, 1.0)
