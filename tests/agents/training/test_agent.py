"""From a run's settings to an agent."""

from pathlib import Path
from typing import Any

import pytest
import torch

from agents.network.subgoal_words import hashed_words
from agents.ppo.fast_ppo import FastPPO
from agents.ppo.fast_recurrent_ppo import FastRecurrentPPO
from agents.training.agent import make_ppo
from agents.training.callback import RunCallback
from agents.training.environment import credit_source_of, make_env, subgoals_of
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import UsageError
from envs import make_vec
from envs.interfaces.sb3_vec import Sb3Vec

SMALL = {
    "task": "Room-5x5",
    "judge": "none",
    "n_envs": 2,
    "n_steps": 8,
    "eval_episodes": 2,
    "features_dim": 16,
}


def test_a_learning_rate_can_fall() -> None:
    config = TrainConfig(**SMALL, learning_rate=1e-3, learning_rate_end=2e-4)
    env = make_vec("Room-5x5", 2, kind="sb3", keys=config.keys, workers=0)
    try:
        model = make_ppo(config, env)
        assert [round(model.lr_schedule(left), 9) for left in (1.0, 0.5, 0.0)] == [1e-3, 6e-4, 2e-4]
        longer = make_ppo(config.model_copy(update={"steps": 80, "schedule_steps": 40}), env)
        assert [round(longer.lr_schedule(left), 9) for left in (0.75, 0.0)] == [6e-4, 2e-4]
        constant = make_ppo(TrainConfig(**SMALL), env)
        assert constant.lr_schedule(0.3) == TrainConfig().learning_rate
    finally:
        env.close()


def test_entropy_can_matter_less_and_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    class Watching(RunCallback):
        def _on_rollout_end(self) -> None:
            rates.append(round(self.model.ent_coef, 9))

    monkeypatch.setattr("agents.training.train.RunCallback", Watching)
    config = TrainConfig(**SMALL, steps=48, ent_coef=0.03, ent_coef_end=0.0)
    train(Run.create(tmp_path / "run", config))
    assert rates == [0.03, 0.02, 0.01]


def test_credit_can_pay_less_and_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []

    class Watching(RunCallback):
        def _on_rollout_end(self) -> None:
            assert isinstance(self.training_env, Sb3Vec)
            shaping = self.training_env.episodes.shaping
            assert shaping is not None
            weights.append(round(shaping.weight, 9))

    monkeypatch.setattr("agents.training.train.RunCallback", Watching)
    config = TrainConfig(
        **SMALL | {"task": "KeyRoom-S5", "judge": "rules"}, steps=48, weight=0.3, weight_end=0.0
    )
    train(Run.create(tmp_path / "run", config))
    assert weights == [0.3, 0.2, 0.1]


def test_a_stack_and_an_lstm_are_on_the_fast_path() -> None:
    config = TrainConfig(**SMALL, memory="stack", window=3)
    env = make_vec("Room-5x5", 2, kind="sb3", keys=config.keys, window=3, workers=0)
    try:
        stacked, lstm = make_ppo(config, env), make_ppo(TrainConfig(**SMALL, memory="lstm"), env)
        assert stacked.is_fast
        assert lstm.is_fast
        assert not isinstance(stacked, FastRecurrentPPO)
        assert isinstance(lstm, FastRecurrentPPO)
    finally:
        env.close()


def test_the_words_of_the_judged_subgoals_reach_the_encoder() -> None:
    config = TrainConfig(
        **SMALL | {"task": "KeyRoom-S5", "judge": "rules"},
        encoder="semantics",
        encoder_options={"gates": "words"},
    )
    subgoals = subgoals_of(config)
    source = credit_source_of(config, subgoals)
    env = make_env(config, 2, source, subgoals, split="train", seed=0)
    try:
        model = make_ppo(config, env, subgoals=subgoals)
        names = [subgoal.name for subgoal in subgoals]
        window = model.policy.features_extractor.parts["window"]
        assert torch.equal(window.words, hashed_words(names))
        assert model.learn(16).num_timesteps == 16
        with pytest.raises(UsageError, match="takes the option gates, got"):
            make_ppo(config.model_copy(update={"encoder_options": {"gate": 1}}), env)
    finally:
        env.close()


def turning(task: str, **more: Any) -> FastPPO:
    """An agent whose rollouts are turned, after two of them."""
    config = TrainConfig(**SMALL | {"task": task}, n_epochs=9, augment="dihedral", **more)
    env = make_vec(task, 2, kind="sb3", keys=config.keys, window=config.looks_back, workers=0)
    try:
        return make_ppo(config, env).learn(2 * 16)
    finally:
        env.close()


@pytest.mark.parametrize("more", [{}, {"memory": "stack"}, {"encoder": "agent"}], ids=str)
def test_rollouts_are_turned_for_every_pass(more: dict[str, Any]) -> None:
    model = turning("KeyRoom-S5", **more)
    assert model.augmentation is not None
    assert (model.is_fast, model._n_updates) == (True, 2 * 9)


def test_nothing_is_turned_where_directions_are_answers_too() -> None:
    with pytest.raises(UsageError, match=r"augment=dihedral .* y and n are directions as well"):
        turning("LavaCross-Restricted")


def test_an_agent_that_only_plays_turns_nothing() -> None:
    config = TrainConfig(**SMALL, augment="dihedral")
    env = make_vec("LavaCross-Restricted", 2, kind="sb3", keys=config.keys, workers=0)
    try:
        assert make_ppo(config, env, learns=False).augmentation is None
    finally:
        env.close()
