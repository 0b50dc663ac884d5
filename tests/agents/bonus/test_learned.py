"""Bonuses that learn: known states pay less, their randomness is their own, they can be resumed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import envs
from agents.bonus.e3b import E3B
from agents.bonus.learned import LearnedBonus
from agents.bonus.make import make_bonus
from agents.training.run.checkpoint import _copied
from tests.support.states import same

LEARNED = ("rnd", "e3b")


def environment(bonus: str, n_steps: int = 16, seed: int = 7) -> Any:
    make = make_bonus(bonus, n_steps, seed)
    return envs.make_vec("KeyRoom-S5", 4, bonus=make, seed=1, keys=("glyphs_crop",), workers=0)


def play(env: Any, steps: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    env.reset(seed=3)
    return np.array([env.step(draw.integers(0, 8, 4))[-1]["bonus"] for _ in range(steps)])


def learned(env: Any) -> LearnedBonus:
    source = env.episodes.bonus_source
    assert isinstance(source, LearnedBonus)
    return source


@pytest.mark.parametrize("bonus", LEARNED)
def test_it_resumes_from_its_state_as_if_it_had_not_stopped(bonus: str) -> None:
    env, other = environment(bonus), environment(bonus, seed=8)
    try:
        first = play(env, 64)
        assert np.isfinite(first).all()
        assert (first >= 0).all()
        assert first.std() > 0
        state = _copied(learned(env).state())
        after = play(env, 48)
        learned(other).restore(_copied(state))
        assert same(_copied(learned(other).state()), state)
        np.testing.assert_array_equal(play(other, 48), after)
        assert same(_copied(learned(other).state()), _copied(learned(env).state()))
        assert not same(_copied(learned(env).state()), state)
    finally:
        env.close()
        other.close()


@pytest.mark.parametrize("bonus", LEARNED)
def test_same_seed_same_bonus_and_nobody_elses_random_numbers(bonus: str) -> None:
    paid = []
    torch.manual_seed(5)
    expected = torch.rand(1)
    for seed in (7, 7, 8):
        torch.manual_seed(5)
        env = environment(bonus, seed=seed)
        try:
            paid.append(play(env, 40))
        finally:
            env.close()
        assert torch.rand(1) == expected
    np.testing.assert_array_equal(paid[0], paid[1])
    assert (paid[0] != paid[2]).any()


def test_e3b_learns_to_tell_which_action_was_taken() -> None:
    env = environment("e3b", n_steps=8)
    try:
        play(env, 8)
        bonus: Any = learned(env)
        assert isinstance(bonus, E3B)
        actions = torch.arange(8).repeat(8)
        before = torch.zeros(64, bonus.n_glyphs, dtype=torch.int16)
        after = before.clone()
        after[:, :20] = actions.short()[:, None] + 1  # an action shows in what it leads to

        def right() -> float:
            with torch.no_grad():
                both = bonus._encoder(torch.cat([before, after]).long())
                logits = bonus._inverse_dynamics(torch.cat(both.chunk(2), 1))
            return float((logits.argmax(1) == actions).float().mean())

        for _ in range(400):
            bonus._learn_from(before, actions, after)
        assert right() > 0.9
    finally:
        env.close()


def test_e3b_forgets_an_episode_with_its_end() -> None:
    env = environment("e3b", n_steps=1000)
    try:
        paid = play(env, 201)  # an episode has 200 steps
        assert paid[0].min() > paid[150:200].mean()
        np.testing.assert_array_less(paid[150:200].mean(), paid[200])
    finally:
        env.close()
