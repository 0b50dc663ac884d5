"""The plain path, called as a batch calls it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from minihack.reward_manager import RewardManager
from nle.nethack import Command

from envs.game.engine import ENGINE_KEYS
from envs.game.goal import ABORTED, WON
from envs.game.minihack_env import make_minihack
from envs.stepping.backend import Games
from envs.stepping.plain import PlainBackend

TASK = "MiniHack-KeyRoom-S5-v0"
KEYS = ("glyphs", "glyphs_crop", "blstats", "message", "program_state", "internal",
        "inv_glyphs", "inv_letters")  # fmt: skip


@pytest.fixture
def backend() -> Iterator[PlainBackend]:
    """Two games of three steps each; row i draws the level seeds 100 i, 100 i + 1, ..."""
    seeds = [count(0), count(100)]
    options = {"max_episode_steps": 3}
    env = make_minihack(TASK, options)
    games = Games(TASK, 2, KEYS, lambda row: next(seeds[row]), 5, False, options)
    plain = PlainBackend(env, games)
    yield plain
    plain.close()


def test_rows_play_levels_of_their_own_streams_or_those_that_are_named(
    backend: PlainBackend,
) -> None:
    assert backend.level_seed.tolist() == [-1, -1]  # nothing is drawn ahead
    backend.reset(np.arange(2), None)
    assert backend.level_seed.tolist() == [0, 100]
    backend.reset(np.array([1]), [7])
    assert backend.level_seed.tolist() == [0, 7]
    backend.reset(np.arange(2), None)
    assert backend.level_seed.tolist() == [1, 101]


def test_crops_are_centred_on_the_hero(backend: PlainBackend) -> None:
    backend.reset(np.arange(2), [3, 4])
    for row in range(2):
        x, y = backend.arrays["blstats"][row, :2]
        around = backend.arrays["glyphs"][row, y - 1 : y + 2, x - 1 : x + 2]
        assert np.array_equal(backend.arrays["glyphs_crop"][row, 1:4, 1:4], around)


@pytest.mark.parametrize("reset", [True, False])
def test_games_that_end_are_kept_as_they_ended(backend: PlainBackend, reset: bool) -> None:
    backend.reset(np.arange(2), None)
    still = backend.rules.actions.index("apply")  # without a key nothing happens
    backend.step(np.full(2, still), reset)
    backend.reset(np.array([1]), None)  # so that row 0 is one step ahead
    assert backend.step(np.full(2, still), reset) == 0
    assert backend.steps.tolist() == [2, 1]
    assert backend.step(np.full(2, still), reset) == 1
    assert backend.status.tolist() == [ABORTED, 0]
    assert (backend.final_steps[0], backend.final_level_seed[0]) == (3, 0)
    assert backend.final["blstats"][0].any()
    assert not backend.final["blstats"][1].any()
    if reset:
        assert (backend.steps.tolist(), backend.level_seed.tolist()) == ([0, 2], [1, 101])
    else:
        assert (backend.steps.tolist(), backend.level_seed.tolist()) == ([3, 2], [0, 101])
        assert np.array_equal(backend.final["glyphs"][0], backend.arrays["glyphs"][0])


def test_an_action_that_is_none_steps_no_game(backend: PlainBackend) -> None:
    backend.reset(np.arange(2), None)
    for wrong in ([0, -1], [len(backend.rules.presses), 0]):
        assert backend.step(np.array(wrong), reset=True) == -1
    assert backend.steps.tolist() == [0, 0]


def games_of_a_manager(manager: RewardManager, penalty: bool) -> PlainBackend:
    """Returns two games that MiniHack's own `step` plays, whose manager this is."""
    options = {"reward_manager": manager, "actions": (Command.KICK,)}
    env = make_minihack("MiniHack-Room-5x5-v0", options)
    keys = tuple(ENGINE_KEYS)
    games = Games("MiniHack-Room-5x5-v0", 2, keys, lambda row: row, 5, penalty, options)
    plain = PlainBackend(env, games)
    assert plain.rules.path == "minihack"
    plain.reset(np.arange(2), None)
    return plain


def test_what_one_game_achieves_is_not_achieved_in_another() -> None:
    manager = RewardManager()
    manager.add_message_event([""])
    manager.add_coordinate_event((-1, -1))
    plain = games_of_a_manager(manager, penalty=False)
    plain.step(np.zeros(2, np.int64), True)
    plain.close()
    assert plain.reward.tolist() == [1.0, 1.0]


def test_a_penalty_makes_no_loss_of_a_goal_that_pays_nothing() -> None:
    """The kick asks for a direction, so that no game time passes."""
    manager = RewardManager()
    manager.add_message_event([""], reward=0)
    plain = games_of_a_manager(manager, penalty=True)
    plain.step(np.zeros(2, np.int64), False)
    plain.close()
    assert (plain.reward.tolist(), plain.status.tolist()) == ([np.float32(-0.01)] * 2, [WON] * 2)
