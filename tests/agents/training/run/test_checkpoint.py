"""What a checkpoint restores: everything is as it was, again and again."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.bonus.make import make_bonus
from agents.training.agent import make_ppo
from agents.training.run.checkpoint import restore, snapshot
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from envs import make_vec
from envs.credit.noisy import NoisyTruth
from envs.interfaces.sb3_vec import Sb3Vec
from tests.support.states import same

SMALL = {
    "task": "KeyRoom-S5",
    "n_envs": 2,
    "n_steps": 32,
    "eval_every": 256,
    "eval_episodes": 2,
    "features_dim": 16,
    "checkpoint_every": 64,
}


def environment(bonus: str = "none") -> Sb3Vec:
    judge = NoisyTruth(0.5, 0.5)
    keys = TrainConfig().keys
    return make_vec(
        "KeyRoom-S5", 2, kind="sb3", seed=3, keys=keys, judge=judge, workers=0,
        bonus=make_bonus(bonus, 32, 3),
    )  # fmt: skip


@pytest.mark.parametrize("bonus", ["none", "novelty", "rnd", "e3b"])
def test_what_is_restored_is_what_was_kept_and_goes_on_the_same(tmp_path: Path, bonus: str) -> None:
    config = TrainConfig(**SMALL, seed=3, judge="truth", steps=1000)
    env = environment(bonus)
    try:
        model = make_ppo(config, env)
        env.seed(3)
        model.learn(7 * 64)  # 224 steps each, of episodes of at most 200
        assert min(env.batch.playing()) > 0
        random.random()
        path = Run.create(tmp_path / "run", config)
        path.save_checkpoint(snapshot(model, env))
        state = path.load_checkpoint()
        assert len(state["recent"]) > 0
        assert int(state["heard"]["misses"].sum()) > 0
        levels = env.batch.level_seeds.tolist()
        drawn = (random.random(), np.random.random(), torch.rand(1).item())
    finally:
        env.close()

    ended = []
    for _ in range(2):
        env = environment(bonus)
        try:
            other = make_ppo(config, env)
            restore(other, env, state)
            assert (random.random(), np.random.random(), torch.rand(1).item()) == drawn
            restore(other, env, state)
            env.reset()
            assert env.batch.level_seeds.tolist() == levels
            assert same(snapshot(other, env), state)
            restore(other, env, state)
            other.learn(2 * 64, reset_num_timesteps=False)
            ended.append(snapshot(other, env))
        finally:
            env.close()
    assert ended[0]["steps"] == 9 * 64
    assert ended[0]["updates"] == state["updates"] + 2 * config.n_epochs
    assert same(*ended)
    assert not same(ended[0]["policy"], state["policy"])


def test_streams_of_levels_go_on_where_they_were() -> None:
    env = environment()
    try:
        env.seed(3)
        env.reset()
        level_log = [env.batch.level_seeds.tolist()]
        while len(level_log) < 3:
            *_, dones, _ = env.step(np.zeros(2, np.int64))
            if dones.any():
                level_log.append(env.batch.level_seeds.tolist())
        where = env.batch.playing()
        env.seed(3)
        env.start_at(where)
        env.reset()
        assert env.batch.level_seeds.tolist() == level_log[-1]
        assert env.batch.playing() == where
        env.reset()
        assert env.batch.playing() == [n + 1 for n in where]
        env.seed(3)
        env.reset()
        assert env.batch.level_seeds.tolist() == level_log[0]
        with pytest.raises(UsageError, match="2 environments need as many"):
            env.batch.reseed("train", 3, [1])
        env.batch.reset([7, 8])
        with pytest.raises(UsageError, match="level seed 7"):
            env.batch.playing()
    finally:
        env.close()
