"""Agents that remember: crops of before in the observation, or a recurrent layer."""

from pathlib import Path

import pytest
import torch
from sb3_contrib import RecurrentPPO

from agents.network.history import PastEncoder
from agents.ppo.fast_ppo import FastPPO
from agents.ppo.make import make_ppo
from agents.training.config import TrainConfig
from agents.training.run_folder import Run
from agents.training.train import Progress, train
from envs import make_vec

SMALL = {
    "task": "KeyRoom-Dark-S5",
    "judge": "truth",
    "steps": 64,
    "n_envs": 2,
    "n_steps": 16,
    "eval_every": 64,
    "eval_episodes": 2,
    "features_dim": 16,
    "window": 3,
}


@pytest.mark.parametrize("memory", ["stack", "lstm"])
def test_it_trains_is_evaluated_and_goes_on(memory: str, tmp_path: Path) -> None:
    config = TrainConfig(**SMALL, memory=memory)
    assert memory in config.name
    run = Run.create(tmp_path / "run", config)

    def stop(progress: Progress) -> None:
        if progress.steps >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, on_progress=stop)
    kept = run.load_checkpoint()
    assert kept["steps"] == 32
    rows = train(run, resume=True)
    assert [row["steps"] for row in rows] == [0, 64]
    weights = run.load_checkpoint()["policy"]
    assert any(not torch.equal(value, kept["policy"][name]) for name, value in weights.items())
    assert any("lstm" in name for name in weights) == (memory == "lstm")


def test_a_stack_is_on_the_fast_path_and_an_lstm_on_its_own() -> None:
    config = TrainConfig(**SMALL, memory="stack")
    env = make_vec("KeyRoom-Dark-S5", 2, kind="sb3", keys=config.keys, window=3, workers=0)
    try:
        stacked = make_ppo(config, env)
        assert isinstance(stacked, FastPPO)
        assert stacked.ours
        assert isinstance(make_ppo(TrainConfig(**SMALL, memory="lstm"), env), RecurrentPPO)
    finally:
        env.close()


def test_the_past_is_seen_and_what_was_before_the_episode_is_not() -> None:
    torch.manual_seed(0)
    past = PastEncoder(torch.nn.Embedding(5977, 4), (3, 5, 5), 7)
    crops = torch.randint(2300, 2400, (2, 3, 5, 5))
    valid = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    features = past(crops, valid)
    assert features.shape == (2, past.out) == (2, 14)
    assert features[1, :7].tolist() == [0.0] * 7
    changed = crops.clone()
    changed[:, 2] = 2345  # the present crop is another encoder's
    changed[1, 0] = 2346  # this was before the episode
    assert torch.equal(past(changed, valid), features)
    changed[0, 1] = 2347
    assert not torch.equal(past(changed, valid)[0], features[0])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"memory": "stack", "window": 1}, "at least 2"),
        ({"memory": "stack", "encoder": "semantics"}, "looks back itself"),
        ({"memory": "stack", "keys": ("glyphs",)}, "add glyphs_crop"),
        ({"memory": "more"}, "none"),
    ],
)
def test_what_can_not_be_remembered_is_said(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainConfig(**wrong)
