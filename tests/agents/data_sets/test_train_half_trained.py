"""Training the half-trained player: torch and NumPy are the same network, and it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from agents.data_sets import train_half_trained as training
from calm.errors import CalmError
from envs import make_vec
from envs.players.half_trained import FEATURE_KEYS, WIDTH, load_network, logits


@pytest.fixture(scope="module")
def trained() -> tuple[PPO, int]:
    return training.train("KeyRoom-S5", seed=1, goal=2.0, most=100)


def test_numpy_plays_what_torch_trained(trained: tuple[PPO, int]) -> None:
    model, steps = trained
    assert steps == 32 * 128  # one rollout
    network = training.network_of(model)
    inputs = np.random.default_rng(0).uniform(-1, 1, (7, WIDTH))
    with torch.no_grad():
        latent = model.policy.mlp_extractor.forward_actor(torch.from_numpy(inputs).float())
        theirs = model.policy.action_net(latent).numpy()
    ours = np.stack([logits(network, row) for row in inputs])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_environments_are_seen_through_the_features() -> None:
    inner = make_vec("KeyRoom-S5", 3, kind="sb3", keys=FEATURE_KEYS, workers=0)
    env = training.Featured(inner)
    try:
        first = env.reset()
        assert first.shape == (3, WIDTH)
        assert first.dtype == np.float32
        for _ in range(200):  # the limit ends every episode
            inputs, _, dones, infos = env.step(np.zeros(3, np.int64))
        assert inputs.shape == (3, WIDTH)
        assert dones.all()
        assert [info["terminal_observation"].shape for info in infos] == [(WIDTH,)] * 3
    finally:
        env.close()


def test_only_a_half_trained_player_is_kept(
    trained: tuple[PPO, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train", lambda *_: trained)
    monkeypatch.setattr(training, "EPISODES", 5)
    options = {"goal": 2.0, "most": 100, "seed": 0, "out": tmp_path}
    monkeypatch.setattr(training, "HALF_WAY", (2.0, 3.0))
    with pytest.raises(CalmError, match=r"success \d.\d\d is not between"):
        training.train_player("KeyRoom-S5", **options)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(training, "HALF_WAY", (0.0, 1.0))
    training.train_player("KeyRoom-S5", **options)
    stored = load_network(tmp_path / "MiniHack-KeyRoom-S5-v0.npz")
    assert stored["first.weight"].shape == (48, WIDTH)
    about = json.loads((tmp_path / "MiniHack-KeyRoom-S5-v0.json").read_text())
    assert about["train_steps"] == 4096
    assert "KeyRoom-S5 --goal 2.0 --most 100 --seed 0" in about["made_by"]
