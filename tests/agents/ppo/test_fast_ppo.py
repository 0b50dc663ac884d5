"""Our PPO beside stable-baselines3's: the same actions, losses and weights; callbacks and files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecEnv

from agents.network.extractor import NetHackExtractor
from agents.network.kernels.bfloat16 import Bfloat16Conv2d
from agents.ppo.fast_ppo import FastPPO
from agents.training.agent import make_ppo
from agents.training.settings.config import TrainConfig
from envs import make_vec
from tests.agents.ppo.walk import LIMIT, Kept, assert_the_same, kept_of_learning, settings

pytestmark = pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")


def learned(kind: type[PPO], env: VecEnv, rollouts: int = 3, **more: Any) -> tuple[PPO, Kept]:
    model = kind("MultiInputPolicy", env, **settings(**more))
    return model, kept_of_learning(model, env, rollouts)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chunk": 3},
        {"chunk": 4, "threads": 2},
        {"clip_range_vf": 0.1, "clip_range": 0.01},
        {"target_kl": 1e-7},
        {"normalize_advantage": False, "net_arch": {"pi": [8], "vf": [5]}},
        {"extractor": {"encoder": "agent"}, "chunk": 5},
        {"extractor": {"encoder": "gaussian"}, "chunk": 5},
    ],
    ids=str,
)
def test_the_numbers_are_those_of_stable_baselines(env: VecEnv, more: dict[str, Any]) -> None:
    ours, our = learned(FastPPO, env, **more)
    plain = {k: v for k, v in more.items() if k not in ("chunk", "threads")}
    theirs, their = learned(PPO, env, **plain)
    assert ours.is_fast
    assert_the_same(ours, our, theirs, their)


class InFloat64(NetHackExtractor):
    """The extractor in double precision; observations of other keys come once each as they are."""

    def forward(self, observations: Any) -> torch.Tensor:
        tensors = {k: v for k, v in observations.items() if isinstance(v, torch.Tensor)}
        return super().forward({**observations, **{k: v.double() for k, v in tensors.items()}})


def test_in_float64_the_numbers_are_those_of_stable_baselines_to_its_rounding(env: VecEnv) -> None:
    """The largest difference of a weight after three rollouts was 8e-17, and 6e-8 in float32."""
    torch.set_default_dtype(torch.float64)
    try:
        states = []
        for kind in (FastPPO, PPO):
            wide = settings()
            wide["policy_kwargs"]["features_extractor_class"] = InFloat64
            model = kind("MultiInputPolicy", env, **wide)
            env.seed(5)
            model.learn(3 * 21)
            states.append(model.policy.state_dict())
    finally:
        torch.set_default_dtype(torch.float32)
    ours, theirs = states
    assert all((ours[k] - theirs[k]).abs().max() < 1e-14 for k in theirs)


def learned_at_full_size(kind: type[PPO], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights after three rollouts with the settings of the study on KeyRoom-S5."""
    config = TrainConfig(judge="truth", steps=3 * 32 * 128)
    torch.set_default_dtype(dtype)
    env = make_vec(config.task, config.n_envs, kind="sb3", keys=config.keys, judge="truth", seed=0)
    try:
        fast = make_ppo(config, env)
        extractor = fast.policy_kwargs["features_extractor_class"]
        wide = InFloat64 if dtype == torch.float64 else extractor
        settings = {"policy_kwargs": {**fast.policy_kwargs, "features_extractor_class": wide}}
        for name in ("n_steps", "batch_size", "n_epochs", "learning_rate", "gamma", "gae_lambda"):
            settings[name] = getattr(config, name)
        model = kind(
            "MultiInputPolicy", env, ent_coef=config.ent_coef, seed=0, device="cpu", **settings
        )
        env.seed(0)
        model.learn(config.steps)
        return model.policy.state_dict()
    finally:
        env.close()
        torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-6), (torch.float32, 0.1)], ids=str)
def test_how_far_it_is_from_stable_baselines_at_full_size(
    dtype: torch.dtype, most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prints the largest difference of a weight; `agents.ppo.fast_ppo` quotes it."""
    ours, theirs = (learned_at_full_size(kind, dtype) for kind in (FastPPO, PPO))
    differences = [(ours[k] - theirs[k]).abs().max().item() for k in theirs]
    with capsys.disabled():
        print(f"\n{dtype}: no weight differs by more than {max(differences):.1e}")  # noqa: T201
    assert max(differences) < most


def test_the_number_of_threads_changes_not_a_bit(env: VecEnv) -> None:
    one, _ = learned(FastPPO, env, chunk=3)
    three, _ = learned(FastPPO, env, chunk=3, threads=3)
    state = three.policy.state_dict()
    assert all(torch.equal(weights, state[k]) for k, weights in one.policy.state_dict().items())


def test_it_is_stable_baselines_own_code_where_ours_knows_no_better() -> None:
    more = {"n_steps": 16, "batch_size": 8, "n_epochs": 2, "seed": 1, "device": "cpu"}
    ours, theirs = (kind("MlpPolicy", "CartPole-v1", **more).learn(32) for kind in (FastPPO, PPO))
    assert not ours.is_fast
    state = theirs.policy.state_dict()
    assert all(torch.equal(weights, state[k]) for k, weights in ours.policy.state_dict().items())


def test_a_saved_agent_loads_acts_the_same_and_goes_on(env: VecEnv, tmp_path: Path) -> None:
    model, _ = learned(FastPPO, env, rollouts=1, threads=2, chunk=4)
    model.save(tmp_path / "agent.zip")
    loaded = FastPPO.load(tmp_path / "agent.zip", env=env)
    assert (loaded.threads, loaded.chunk, loaded.num_timesteps) == (2, 4, 21)
    env.seed(1)
    observation = env.reset()
    assert model.predict(observation, deterministic=True)[0].tolist() == (
        loaded.predict(observation, deterministic=True)[0].tolist()
    )
    before = {k: v.clone() for k, v in loaded.policy.state_dict().items()}
    loaded.learn(42)
    assert any(not torch.equal(v, before[k]) for k, v in loaded.policy.state_dict().items())
    plain = PPO.load(tmp_path / "agent.zip", env=env)  # SB3 can read it without ours
    assert plain.predict(observation, deterministic=True)[0].shape == (3,)


def test_stable_baselines_evaluates_it(env: VecEnv) -> None:
    model, _ = learned(FastPPO, env, rollouts=1)
    env.seed(2)
    returns, lengths = evaluate_policy(model, env, 6, return_episode_rewards=True)
    assert len(returns) == 6
    assert max(lengths) <= LIMIT


def test_in_bfloat16_the_numbers_are_near_and_weights_stay_float32(env: VecEnv) -> None:
    exact, of_exact = learned(FastPPO, env, rollouts=1)
    rounded, of_rounded = learned(FastPPO, env, rollouts=1, precision="bfloat16")
    kinds = {type(layer) for layer in rounded.policy.features_extractor.modules()}
    assert Bfloat16Conv2d in kinds
    for name, weight in rounded.policy.state_dict().items():
        assert weight.dtype == exact.policy.state_dict()[name].dtype
    first, same = (of.rollouts[0]["values"][0] for of in (of_rounded, of_exact))
    assert 0 < np.abs(first - same).max() < 2**-6 * np.abs(same).max()


def test_a_callback_can_stop_it_and_reads_what_sb3_shows(env: VecEnv) -> None:
    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            assert self.locals["rewards"].shape == self.locals["dones"].shape == (3,)
            assert self.locals["actions"].shape[0] == 3
            assert len(self.locals["infos"]) == 3
            assert set(self.locals["new_obs"]) == set(env.observation_space.spaces)
            return self.n_calls < 4

    model = FastPPO("MultiInputPolicy", env, **settings())
    model.learn(42, callback=Stop())
    assert model.num_timesteps == 4 * 3


def test_the_rollout_can_be_read_as_stable_baselines_reads_it(env: VecEnv) -> None:
    model, _ = learned(FastPPO, env, rollouts=1)
    buffer = model.rollout_buffer
    copies = {k: v.copy() for k, v in buffer.observations.items()}
    sizes = [len(batch.actions) for batch in buffer.get(8)]
    assert sizes == [8, 8, 5]
    buffer.reset()
    assert {k: v.shape for k, v in buffer.observations.items()} == {
        k: v.shape for k, v in copies.items()
    }
    assert buffer.rewards.shape == (7, 3)
    model.learn(21)
    model.save(io.BytesIO())


def test_an_actor_acts_as_predict_does(env: VecEnv) -> None:
    model, _ = learned(FastPPO, env, rollouts=1)
    env.seed(4)
    observation, begun = env.reset(), np.ones(3, np.bool_)
    act, greedy = model.actor(), model.actor(greedy=True)
    for _ in range(20):
        torch.manual_seed(1)
        actions = model.predict(observation)[0]
        torch.manual_seed(1)
        assert act(observation, begun).tolist() == actions.tolist()
        assert (
            greedy(observation, begun).tolist()
            == model.predict(observation, deterministic=True)[0].tolist()
        )
        observation, _, begun, _ = env.step(actions)
