"""How a contestant of `calm bench env` plays: whole batches of actions, counted as steps."""

from itertools import pairwise

import gymnasium
import numpy as np

from envs.bench.contestants import FEW_STEPS, MANY_STEPS, Unseeded, _playing_raw, _stepping


def test_actions_are_drawn_beforehand_and_every_environment_counts() -> None:
    calls: list[np.ndarray] = []
    play = _stepping(calls.append, n_actions=3, n_envs=2)
    assert play(0.0) > 0  # environment steps a second
    assert len(calls) == 8  # as many before it looks at the clock
    assert {len(actions) for actions in calls} == {2}
    assert set(np.concatenate(calls).tolist()) <= {0, 1, 2}


def test_the_engine_begins_with_few_steps_a_call_for_an_episode_may_last_four() -> None:
    sizes: list[int] = []
    play = _playing_raw(sizes.append, cores=2)
    assert play(0.02) > 0
    assert sizes[0] == FEW_STEPS
    for before, after in pairwise(sizes):
        assert after in (before, min(2 * before, MANY_STEPS))


def test_a_game_whose_reset_takes_no_seed_is_played_by_those_who_name_one() -> None:
    class Boxes(gymnasium.Env[int, int]):
        def reset(self) -> tuple[int, dict[str, int]]:  # type: ignore[override]
            return 7, {}

    assert Unseeded(Boxes()).reset(seed=3, options={}) == (7, {})
