"""Our recurrent PPO beside sb3-contrib's: the same actions, losses and weights; no state leaks."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents.ppo.fast_recurrent_ppo import FastRecurrentPPO, _Stretches
from tests.agents.ppo.walk import Kept, assert_the_same, kept_of_learning, settings

pytestmark = pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
LSTM = {"lstm_hidden_size": 16}


def recurrent(**more: Any) -> dict[str, Any]:
    merged = settings(**more)
    merged["policy_kwargs"] |= LSTM
    return merged


def ours(env: VecEnv, rollouts: int = 3, **more: Any) -> tuple[FastRecurrentPPO, Kept]:
    model = FastRecurrentPPO("MultiInputLstmPolicy", env, **recurrent(**more))
    return model, kept_of_learning(model, env, rollouts)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chunk": 3},
        {"chunk": 4, "threads": 2},
        {"clip_range_vf": 0.1, "clip_range": 0.01},
        {"net_arch": {"pi": [8], "vf": [5]}},
        {"batch_size": 21},
    ],
    ids=str,
)
def test_the_numbers_are_those_of_sb3_contrib(env: VecEnv, more: dict[str, Any]) -> None:
    fast, our = ours(env, values_train_memory=False, **more)
    plain = recurrent(**{k: v for k, v in more.items() if k not in ("chunk", "threads")})
    plain["policy_kwargs"] |= {"shared_lstm": True, "enable_critic_lstm": False}
    theirs = RecurrentPPO("MultiInputLstmPolicy", env, **plain)
    assert_the_same(fast, our, theirs, kept_of_learning(theirs, env, 3))


def test_an_update_sees_what_the_rollout_saw(env: VecEnv) -> None:
    """With the weights that played, every chunk gives back its log probabilities and values."""
    model, _ = ours(env, rollouts=2, n_epochs=1, learning_rate=0.0)
    data = model._rollout()
    assert isinstance(data, _Stretches)
    rows_of_chunks = []
    for rows in data.minibatches(8):
        for chunk in data.chunks(rows):
            logits, values = model._of_chunk(data, chunk)
            where = torch.from_numpy(chunk)
            scores = logits.log_softmax(1).gather(1, data.actions[where]).flatten()
            torch.testing.assert_close(scores, data.log_probs[where], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(values, data.values[where], rtol=1e-4, atol=1e-5)
            rows_of_chunks += chunk.tolist()
    assert sorted(rows_of_chunks) == list(range(21))


def test_no_piece_goes_beyond_an_episode_or_an_environment(env: VecEnv) -> None:
    """Of 7 steps of 3 environments, the rows are numbered step by step: 0, 3, 6 are the first's."""
    model, _ = ours(env, rollouts=1)
    data = model._rollout()
    assert isinstance(data, _Stretches)
    data.starts = np.zeros(21, np.bool_)
    data.starts[[9, 2]] = True
    first, second, third = (np.arange(0, 21, 3) + i for i in range(3))
    rows = np.concatenate([first, second, third])[2:17]
    begins, piece, place = data.pieces(rows)
    assert begins.tolist() == [0, 1, 5, 12]
    assert piece.tolist() == [0] + 4 * [1] + 7 * [2] + 3 * [3]
    assert place.tolist() == [0, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2]


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_are_cut_between_pieces(env: VecEnv, chunk: int) -> None:
    model, _ = ours(env, rollouts=1, chunk=chunk)
    data = model._rollout()
    assert isinstance(data, _Stretches)
    rows = next(data.minibatches(19))
    begins = set(data.pieces(rows)[0].tolist())
    chunks = data.chunks(rows)
    assert np.concatenate(chunks).tolist() == rows.tolist()
    ends = np.cumsum([len(one) for one in chunks]).tolist()
    assert set(ends[:-1]) <= begins
    assert len(chunks) == (len(begins) if chunk == 1 else 1 if chunk == 100 else len(chunks))


def test_an_actor_remembers_its_episode_as_predict_does(env: VecEnv) -> None:
    model, _ = ours(env, rollouts=1)
    env.seed(4)
    observation, begun = env.reset(), np.ones(3, np.bool_)
    act, state = model.actor(greedy=True), None
    for _ in range(20):
        actions, state = model.predict(observation, state, begun, deterministic=True)
        assert act(observation, begun).tolist() == actions.tolist()
        observation, _, begun, _ = env.step(actions)


def test_values_train_the_memory_unless_told_otherwise(env: VecEnv) -> None:
    with_values, without = (
        ours(env, rollouts=2, values_train_memory=trains)[0] for trains in (True, False)
    )
    weights = [model.policy.lstm_actor.weight_hh_l0 for model in (with_values, without)]
    assert not torch.equal(*weights)


def test_a_saved_agent_loads_acts_the_same_and_resumes(env: VecEnv, tmp_path: Path) -> None:
    model, _ = ours(env, rollouts=1)
    model.save(tmp_path / "agent.zip")
    loaded = FastRecurrentPPO.load(tmp_path / "agent.zip", env, device="cpu")
    observation, begun = env.reset(), np.ones(3, np.bool_)
    actors = [one.actor(greedy=True) for one in (model, loaded)]
    for _ in range(9):
        first, second = (act(observation, begun) for act in actors)
        assert first.tolist() == second.tolist()
        observation, _, begun, _ = env.step(first)
    assert loaded.learn(21).num_timesteps == 21


@pytest.mark.parametrize(
    "policy_kwargs", [{"share_features_extractor": False}, {"enable_critic_lstm": True}], ids=str
)
def test_what_the_fast_loop_cant_train_is_refused(
    env: VecEnv, policy_kwargs: dict[str, Any]
) -> None:
    other = recurrent()
    other["policy_kwargs"] |= policy_kwargs
    with pytest.raises(ValueError, match="shared"):
        FastRecurrentPPO("MultiInputLstmPolicy", env, **other)


def test_other_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="dictionaries of observations"):
        FastRecurrentPPO("MultiInputLstmPolicy", "CartPole-v1", policy_kwargs=None, device="cpu")


class StopAt(BaseCallback):
    """Ends training after so many steps, in the middle of a rollout."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def _on_step(self) -> bool:
        return self.num_timesteps < self.steps


def test_a_stopped_rollout_resumes_in_its_own_state(env: VecEnv) -> None:
    """The first values after it are sb3-contrib's."""
    firsts = []
    for kind in (FastRecurrentPPO, RecurrentPPO):
        more = recurrent(learning_rate=0.0)
        more["policy_kwargs"] |= {"shared_lstm": True, "enable_critic_lstm": False}
        model = kind("MultiInputLstmPolicy", env, **more)
        env.seed(5)
        model.learn(1000, callback=StopAt(2 * 21 + 9))
        copies = Kept()
        model.learn(21, reset_num_timesteps=False, callback=copies)
        firsts.append(copies.rollouts[0]["values"][0])
    np.testing.assert_allclose(*firsts, rtol=1e-4, atol=1e-5)


def test_an_actor_begins_anew_where_there_are_other_environments(env: VecEnv) -> None:
    model, _ = ours(env, rollouts=1)
    env.seed(4)
    observation, act = env.reset(), model.actor(greedy=True)
    act({key: values[:1] for key, values in observation.items()}, np.ones(1, np.bool_))
    begun = np.ones(3, np.bool_)
    fresh = model.actor(greedy=True)(observation, begun)
    assert act(observation, begun).tolist() == fresh.tolist()


class Recall(gymnasium.Env):
    """Shows one of two glyphs, then a third; the fourth action must be the number of the first.

    Who doesn't remember is right in half of the episodes.
    """

    observation_space = spaces.Dict(glyphs_crop=spaces.Box(0, 5976, (5, 5), np.int16))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.cue, self.time = int(self.np_random.integers(2)), 0
        return self.observation(), {}

    def step(self, action: int) -> Any:
        self.time += 1
        end = self.time == 4
        return self.observation(), float(end and action == self.cue), end, False, {}

    def observation(self) -> dict[str, np.ndarray]:
        glyph = 2359 if self.time else 2360 + self.cue
        return {"glyphs_crop": np.full((5, 5), glyph, np.int16)}


def test_it_learns_what_must_be_remembered() -> None:
    env = DummyVecEnv([lambda: Monitor(Recall())] * 8)
    more = {"n_steps": 32, "batch_size": 64, "n_epochs": 4, "learning_rate": 3e-3, "ent_coef": 0.0}
    model = FastRecurrentPPO(
        "MultiInputLstmPolicy", env, **recurrent(extractor={"features_dim": 16}, **more)
    )
    env.seed(1)
    model.learn(4096)
    act, right = model.actor(greedy=True), []
    observation, begun = env.reset(), np.ones(8, np.bool_)
    for _ in range(40):
        observation, rewards, begun, _ = env.step(act(observation, begun))
        right += rewards[begun].tolist()
    assert len(right) == 80
    assert np.mean(right) > 0.9
