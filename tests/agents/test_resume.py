"""Going on after a kill: everything that a checkpoint says is as it was, again and again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.ppo.make import make_ppo
from agents.training.checkpoint import restore, snapshot
from agents.training.config import TrainConfig
from agents.training.run_folder import Run
from agents.training.train import train
from calm.errors import UsageError
from envs import make_vec
from envs.credit.noisy import NoisyTruth
from envs.interfaces.sb3_vec import Sb3Vec

SMALL = {
    "task": "KeyRoom-S5",
    "n_envs": 2,
    "n_steps": 32,
    "eval_every": 256,
    "eval_episodes": 2,
    "features_dim": 16,
    "checkpoint_every": 64,
}


def environment() -> Sb3Vec:
    judge = NoisyTruth(0.5, 0.5)
    keys = TrainConfig().keys
    return make_vec("KeyRoom-S5", 2, kind="sb3", seed=3, keys=keys, judge=judge, workers=0)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_what_is_restored_is_what_was_kept_and_goes_on_the_same(tmp_path: Path) -> None:
    config = TrainConfig(**SMALL, seed=3, judge="truth", steps=1000)
    env = environment()
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
        env = environment()
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


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """A real process, killed by SIGKILL in the midst of training, twice."""
    config = TrainConfig(**SMALL, judge="rules", seed=2, steps=1024)
    run = Run.create(tmp_path / "run", config)
    code = (
        "import sys; from pathlib import Path; from agents.training.run_folder import Run;"
        " from agents.training.train import train; train(Run.open(Path(sys.argv[1])),"
        " resume=len(sys.argv) > 2)"
    )
    for words, enough in (((), 128), (("resume",), 384)):
        command = [sys.executable, "-c", code, str(run.folder), *words]
        with subprocess.Popen(command, start_new_session=True) as process:
            while not run.checkpoint_path.exists() or run.load_checkpoint()["steps"] < enough:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    kept = run.load_checkpoint()
    assert enough <= kept["steps"] < 1024
    assert run.resumed_at[0] >= 128

    copy = Run.open(Path(shutil.copytree(run.folder, tmp_path / "copy")))
    rows, again = train(run, resume=True), train(copy, resume=True)
    timed = ("seconds", "eval_seconds")
    assert [{k: v for k, v in r.items() if k not in timed} for r in rows] == [
        {k: v for k, v in r.items() if k not in timed} for r in again
    ]
    assert [r["steps"] for r in rows] == [0, 256, 512, 768, 1024]
    assert all(a["seconds"] < b["seconds"] for a, b in pairwise(rows))
    assert rows[-1]["asked"] >= len(kept["judge"]["texts"]) > 0
    assert rows[-1]["success_greedy"] is not None
    assert run.resumed_at[-1] == kept["steps"]
    last, other = run.load_checkpoint(), copy.load_checkpoint()
    assert last["steps"] == 1024
    clock = ("training_seconds", "eval_seconds", "judge")
    assert same(*({k: v for k, v in s.items() if k not in clock} for s in (last, other)))


def test_streams_of_levels_go_on_where_they_were() -> None:
    env = environment()
    try:
        env.seed(3)
        env.reset()
        played = [env.batch.level_seeds.tolist()]
        while len(played) < 3:
            *_, dones, _ = env.step(np.zeros(2, np.int64))
            if dones.any():
                played.append(env.batch.level_seeds.tolist())
        where = env.batch.playing()
        env.seed(3)
        env.start_at(where)
        env.reset()
        assert env.batch.level_seeds.tolist() == played[-1]
        assert env.batch.playing() == where
        env.reset()
        assert env.batch.playing() == [n + 1 for n in where]
        env.seed(3)
        env.reset()
        assert env.batch.level_seeds.tolist() == played[0]
        with pytest.raises(UsageError, match="2 environments need as many"):
            env.batch.reseed("train", 3, [1])
        env.batch.reset([7, 8])
        with pytest.raises(UsageError, match="level seed 7"):
            env.batch.playing()
    finally:
        env.close()
