"""Success on held-out levels: each counts once, by the environment's own reward."""

import numpy as np
import pytest
import torch

from agents.training.evaluation import Success, measure_same, measure_success
from envs import make_vec
from envs.truth.tally import Times


def test_success_counts_every_episode_once_and_knows_a_winner() -> None:
    env = make_vec("Room-5x5", 3, kind="sb3", split="test", keys=("glyphs_crop",))

    class ToTheStairs:
        """The stairs of this room are in its lower right corner, the hero starts upper left."""

        def predict(self, observation: dict, *_: object, deterministic: bool) -> tuple:
            return np.full(3, 5), None

    try:
        success = measure_success(ToTheStairs(), env, 6)  # type: ignore[arg-type]
    finally:
        env.close()
    assert success.episodes == 6
    assert success.successes == 6
    assert success.return_env == pytest.approx(1.0)
    assert 0.6 < success.interval[0] < success.interval[1] == 1.0


def test_the_same_policy_comes_to_the_same_and_training_is_left_as_it_is() -> None:
    env = make_vec("Room-Random-5x5", 3, kind="sb3", split="test", keys=("glyphs_crop",))

    class AtRandom:
        """Draws from torch's random numbers, as a policy does."""

        def predict(self, observation: dict, *_: object, deterministic: bool) -> tuple:
            return torch.randint(8, (3,)).numpy(), None

    try:
        before = torch.get_rng_state()
        first, second = (measure_same(AtRandom(), env, 6, seed=7) for _ in range(2))  # type: ignore[arg-type]
    finally:
        env.close()
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)


def test_success_wants_episodes_that_divide() -> None:
    env = make_vec("Room-5x5", 3, kind="sb3", keys=("glyphs_crop",))
    try:
        with pytest.raises(ValueError, match="don't divide"):
            measure_success(None, env, 4)  # type: ignore[arg-type]
    finally:
        env.close()


def test_repeats_are_the_sum_of_those_by_one_source() -> None:
    times = [
        Times("truth", "take the key", 1.0, 1.5, 0.5, None),
        Times("truth", "open the door", 0.5, 0.75, 0.25, None),
        Times("judge", "take the key", 1.0, 4.0, 3.0, 2.0),
    ]
    success = Success(3, 4, 0.5, 20.0, subgoals=times)
    assert success.rate == 0.75
    assert (success.repeats("truth"), success.repeats("judge")) == (0.75, 3.0)
    assert Success(3, 4, 0.5, 20.0).repeats("truth") is None
