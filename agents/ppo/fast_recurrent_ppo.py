"""Computes sb3-contrib's recurrent PPO faster: an LSTM that policy and value share.

Collection and update are `agents.ppo.fast_ppo`'s. What an LSTM adds: its state is kept of every
step of a rollout; minibatches are stretches of play in their order; a stretch is cut into pieces
where an episode begins or the environment changes, so that no state leaks from one episode into the
next, and pieces are computed side by side.

Where values don't train the memory, as in sb3-contrib, the numbers are those of its RecurrentPPO to
rounding (tests/agents/ppo/test_fast_recurrent_ppo.py), but for a minibatch of one transition, whose
advantage there is no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentMultiInputActorCriticPolicy
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.network.kernels.minibatch_chunks import Indices
from agents.ppo.fast_ppo import Begun, FastPPO
from agents.ppo.rollout import Observation, Rollout


class FastRecurrentPPO(FastPPO):
    """Trains an agent with an LSTM by PPO, as sb3-contrib's RecurrentPPO does, faster.

    Args:
        policy: "MultiInputLstmPolicy", or a class like it.
        env: B environments with dictionaries of observations and discrete actions.
        values_train_memory: let the value's loss train the LSTM and what is below it, which policy
            and value share; sb3-contrib's does not.
        **settings: of `FastPPO`; `policy_kwargs` may hold `lstm_hidden_size`.

    Raises:
        ValueError: the policy is none that the fast loop can train.
    """

    policy_aliases: ClassVar[dict[str, Any]] = {
        "MultiInputLstmPolicy": RecurrentMultiInputActorCriticPolicy
    }

    def __init__(
        self, policy: Any, env: Any, *, values_train_memory: bool = True, **settings: Any
    ) -> None:
        self.values_train_memory = values_train_memory
        shared = {"shared_lstm": True, "enable_critic_lstm": False}
        policy_kwargs = settings.get("policy_kwargs") or {}
        if any(policy_kwargs.get(name, flag) != flag for name, flag in shared.items()):
            raise ValueError("FastRecurrentPPO's LSTM is shared by policy and value")
        settings["policy_kwargs"] = policy_kwargs | shared
        super().__init__(policy, env, **settings)

    def _setup_model(self) -> None:
        if (
            not issubclass(self.policy_class, RecurrentMultiInputActorCriticPolicy)
            or not isinstance(self.observation_space, spaces.Dict)
            or not isinstance(self.action_space, spaces.Discrete)
            or not self.policy_kwargs.get("share_features_extractor", True)
            or self.use_sde
        ):
            raise ValueError(
                "FastRecurrentPPO takes MultiInputLstmPolicy, dictionaries of observations,"
                " discrete actions, a shared extractor and no gSDE"
            )
        super()._setup_model()
        lstm = self.policy.lstm_actor
        self._states = torch.zeros(
            (self.n_steps + 1, 2, lstm.num_layers, self.n_envs, lstm.hidden_size),
            device=self.device,
        )
        """Hidden and cell states (2, layers, B, width) before each step, and after the last."""
        self._at = 0
        """Before which step of `_states` the last observations are; a rollout may be stopped."""

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_states"]

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        self._states[0] = self._states[self._at]
        self._at = 0
        whole = super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        if whole:
            self._at = n_rollout_steps
        return whole

    def _play(self, observation: Observation, step: int) -> tuple[Tensor, Tensor]:
        self._at = step
        state = _without(self._states[step], self._last_episode_starts)
        latent, self._states[step + 1] = self._remember(self._features(observation)[None], state)
        return self._heads(latent[0])

    def _values_after(
        self, observation: Observation, steps: Sequence[int], rows: Sequence[int]
    ) -> Tensor:
        state = self._states[np.add(steps, 1), :, :, list(rows)].movedim(0, 2)
        latent, _ = self._remember(self._features(observation)[None], state)
        return self._heads(latent[0])[1]

    def _rollout(self) -> Rollout:
        return _Stretches(self.rollout_buffer, self.device, self._repeats, self.chunk)

    def _of_chunk(self, data: Rollout, rows: Indices) -> tuple[Tensor, Tensor]:
        assert isinstance(data, _Stretches)
        begins, piece, place = data.pieces(rows)
        features = self._features(data.observations(rows))
        first = rows[begins]
        steps, envs = first // data.n_envs, first % data.n_envs
        state = _without(self._states[steps, :, :, envs].movedim(0, 2), data.starts[first])
        pieces = features.new_zeros((int(place.max()) + 1, len(first), features.shape[1]))
        at = torch.from_numpy(place), torch.from_numpy(piece)
        latent, _ = self._remember(pieces.index_put(at, features), state)
        return self._heads(latent[at])

    def _remember(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the LSTM over pieces of play.

        Args:
            features: (steps, pieces, features_dim).
            state: (2, layers, pieces, width) before the first step.

        Returns:
            Its output (steps, pieces, width), and the state after the last step.
        """
        hidden, cell = state
        output, after = self.policy.lstm_actor(features, (hidden.contiguous(), cell.contiguous()))
        return output, torch.stack(after)

    def _heads(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits (B, A) and values (B,) for the LSTM's output (B, width)."""
        policy = self.policy
        read = latent if self.values_train_memory else latent.detach()
        values = policy.value_net(policy.mlp_extractor.forward_critic(read))
        return policy.action_net(policy.mlp_extractor.forward_actor(latent)), values.flatten()

    def _player(self) -> Callable[[Observation, Begun], Tensor]:
        state: Tensor | None = None

        def logits(observation: Observation, begun: Begun) -> Tensor:
            nonlocal state
            features = self._features(observation)
            if state is None or (state.shape[2] != len(features) and np.all(begun)):
                kinds, layers, _, width = self._states.shape[1:]
                state = features.new_zeros((kinds, layers, len(features), width))
            latent, state = self._remember(features[None], _without(state, begun))
            return self._heads(latent[0])[0]

        return logits


def _without(state: Tensor, begun: Begun) -> Tensor:
    """Returns a state (2, layers, P, width), 0 in those of P pieces that begin an episode."""
    keeps = torch.from_numpy(~np.asarray(begun, np.bool_)).to(state)
    return state * keeps[:, None]


class _Stretches(Rollout):
    """A full rollout, whose minibatches are stretches of play in their order."""

    def __init__(
        self, buffer: RolloutBuffer, device: torch.device, repeats: Mapping[str, int], chunk: int
    ) -> None:
        super().__init__(buffer, device, repeats, chunk)
        self.starts: Begun = buffer.episode_starts.reshape(-1) > 0
        """(steps x B,) which rows begin an episode."""

    def minibatches(self, size: int) -> Iterator[Indices]:
        """Yields stretches of rows as sb3-contrib draws them: from a random one on, in their order.

        It counts environment by environment.
        """
        total = self.n_steps * self.n_envs
        order = np.roll(np.arange(total), -np.random.randint(total))
        rows = order % self.n_steps * self.n_envs + order // self.n_steps
        for start in range(0, total, size):
            yield rows[start : start + size]

    def chunks(self, rows: Indices) -> list[Indices]:
        """Cuts the rows of a minibatch between pieces, into chunks of about `chunk` rows."""
        if self.whole:
            return [rows]
        begins = np.append(self.pieces(rows)[0], len(rows))
        number = begins[1:-1] // self.chunk  # of the chunk in which a piece begins
        return np.split(rows, begins[1:-1][np.diff(number, prepend=0) > 0])

    def pieces(self, rows: Indices) -> tuple[Indices, Indices, Indices]:
        """Cuts a stretch of rows (M,) into pieces of one episode in one environment.

        Returns:
            Where pieces begin (P,), and of each row the number of its piece and its place there.
        """
        new = self.starts[rows] | (rows < self.n_envs)
        new[0] = True
        begins, piece = np.flatnonzero(new), np.cumsum(new) - 1
        return begins, piece, np.arange(len(rows)) - begins[piece]
