"""Shaped agents of ours beside stable-baselines3's: the same settings, in turns."""

import pytest
import torch

from agents.bench.train_judged import run, sb3_ppo
from agents.training.agent import make_ppo
from agents.training.environment import make_env
from agents.training.settings.config import make_config

SMALL = {"n_envs": 2, "n_steps": 8, "crop": 5, "features_dim": 16, "minibatches": 2, "n_epochs": 1}


def test_ours_is_set_beside_sb3() -> None:
    threads = torch.get_num_threads()
    try:
        report = run(quick=True, **SMALL)
    finally:
        torch.set_num_threads(threads)
    rates = {row["name"]: row["value"] for row in report["rows"]}
    assert list(rates)[:3] == ["ours", "ours, bfloat16", "SB3"]
    shares = [rates[name] for name in rates if name.startswith("ours, time in ")]
    assert sum(shares) == pytest.approx(100)
    assert rates["ours, were all but products free"] == pytest.approx(
        100 * rates["ours"] / rates["ours, time in products"]
    )
    assert set(report["ratios"]) == {"sb3_judged", "sb3_judged_bfloat16"}
    expected = rates["ours"] / rates["SB3"]
    assert report["ratios"]["sb3_judged"] == pytest.approx(expected, abs=0.006)


def test_theirs_has_the_schedule_of_the_learning_rate_too() -> None:
    config = make_config({"task": "KeyRoom-S5", "learning_rate_end": 0.0, **SMALL})
    env = make_env(config, 2, None, (), split="train", seed=0)
    try:
        ours = make_ppo(config, env)
        theirs = sb3_ppo(config, ours)
        for left in (1.0, 0.5, 0.0):
            assert theirs.lr_schedule(left) == ours.lr_schedule(left) == left * config.learning_rate
    finally:
        env.close()
