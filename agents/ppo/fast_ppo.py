"""Computes stable-baselines3's PPO faster, in collection and update, with the same numbers.

Same seeds and data give the same actions, losses and weights as SB3's own code to rounding. After
three rollouts of 21 transitions (tests/agents/ppo/test_fast_ppo.py) no weight differed by more than
8e-17 in float64 and 6e-8 in float32. A rounding grows from update to update, and once it changes an
action the two runs part; in float32 that comes soon. After three rollouts of 4,096 on KeyRoom-S5,
with the settings of `calm train`, it was 2.2e-16 in float64 and 2e-2 in float32
(`pytest -m slow -s -k full_size` of the same file prints it).

What is faster, on a CPU:

- observations keep their own dtype until the network looks at them, and the rollout's memory is
  used again;
- actions are sampled and scored without `torch.distributions`; maps, messages and inventories met
  before in a rollout are not computed again; values of truncated episodes are computed together at
  its end;
- a minibatch is computed in chunks that fit the caches, equal maps and messages once
  (`agents.network.kernels.minibatch_chunks`), several chunks at a time on as many threads, linear
  layers by oneDNN (`agents.network.kernels.onednn_linear`). The gradient is the sum over chunks in
  their order, so the number of threads changes not even the last digit;
- statistics are read once an update, Adam is fused.

On a GPU a minibatch is one chunk, and the rollout is moved there once.

Callbacks, loggers, `evaluate_policy`, `save` and `load` are SB3's. An extractor whose class has
`reads_native = True` takes observations in their own dtypes (int16, uint8, ...), others get what
SB3 would pass them; one that has keys in `repeats`, with the axes of one row of each, takes
`agents.network.kernels.minibatch_chunks.Repeated` for those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional as F

from agents.network.kernels.bfloat16 import use_bfloat16
from agents.network.kernels.minibatch_chunks import CHUNK, Indices, Memory
from agents.network.kernels.onednn_linear import use_onednn
from agents.network.names import Precision
from agents.ppo.dihedral import Dihedral
from agents.ppo.loss import STATISTICS, Coefficients, Played, summed_loss
from agents.ppo.rollout import Observation, ReusedRolloutBuffer, Rollout

Begun = npt.NDArray[np.bool_]
"""(B,) which observations begin an episode."""
Actor = Callable[[Observation, Begun], npt.NDArray[np.int64]]
"""From observations by key, (B, ...), and which of them begin an episode, to actions (B,)."""


class FastPPO(PPO):
    """Trains by PPO as stable-baselines3 does, faster.

    Falls back to SB3's implementation for non-discrete actions, non-dict observations, gSDE and
    unshared extractors; `is_fast` tells which is used.

    Args:
        threads: that compute chunks of a minibatch at the same time, on a CPU. The numbers don't
            depend on it.
        chunk: transitions in a chunk, about.
        precision: of the large products of the features extractor, on a CPU; bfloat16 is quicker
            where the processor has it, and no longer gives SB3's numbers.
        augmentation: shows each pass over a rollout in another way; none by default.
        **settings: of SB3's PPO.
    """

    rollout_buffer_class: Any
    _last_obs: Any
    _last_episode_starts: Any

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        threads: int = 1,
        chunk: int = CHUNK,
        precision: Precision = "float32",
        augmentation: Dihedral | None = None,
        **settings: Any,
    ) -> None:
        self.threads, self.chunk, self.precision = threads, chunk, precision
        self.augmentation = augmentation
        self._pool: ThreadPoolExecutor | None = None
        super().__init__(policy, env, **settings)

    def _setup_model(self) -> None:
        dictionary = isinstance(self.observation_space, spaces.Dict)
        if dictionary and self.rollout_buffer_class is None:
            self.rollout_buffer_class = ReusedRolloutBuffer
        super()._setup_model()
        self.is_fast = (
            isinstance(self.rollout_buffer, ReusedRolloutBuffer)
            and isinstance(self.action_space, spaces.Discrete)
            and not self.use_sde
            and self.policy.share_features_extractor
        )
        extractor = self.policy.features_extractor
        self._native = getattr(extractor, "reads_native", False)
        repeats = getattr(extractor, "repeats", {}) if self.device.type == "cpu" else {}
        self._repeats: dict[str, int] = dict(repeats)
        if self.is_fast and self.device.type == "cpu":
            if self.precision == "bfloat16":
                use_bfloat16(extractor)
            use_onednn(self.policy)
            for layer in extractor.modules():
                if isinstance(layer, torch.nn.Conv2d):
                    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_pool", "augmentation"]

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Plays `n_rollout_steps` in every environment, into the buffer.

        Returns False if the callback ended training.
        """
        if not self.is_fast:
            return bool(super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps))
        assert self._last_obs is not None
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        observed = rollout_buffer.observations
        truncated: list[tuple[int, int, dict[str, Any]]] = []
        memories = {key: Memory() for key in self._repeats}
        dones = self._last_episode_starts
        n_steps = 0
        while n_steps < n_rollout_steps:
            for key, values in self._last_obs.items():
                observed[key][n_steps] = values
            with torch.inference_mode():
                observation = self._as_tensors(self._last_obs, memories)
                logits, values = self._play(observation, n_steps)
                actions, log_probs = sampled(logits)
            rollout_buffer.actions[n_steps] = actions.cpu().numpy()
            rollout_buffer.values[n_steps] = values.cpu().numpy()
            rollout_buffer.log_probs[n_steps] = log_probs.cpu().numpy()
            rollout_buffer.episode_starts[n_steps] = self._last_episode_starts

            clipped_actions = rollout_buffer.actions[n_steps].reshape(-1)
            new_obs, rewards, dones, infos = env.step(clipped_actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            rollout_buffer.rewards[n_steps] = rewards
            for i in np.flatnonzero(dones).tolist():
                if infos[i].get("TimeLimit.truncated") and "terminal_observation" in infos[i]:
                    truncated.append((n_steps, i, infos[i]["terminal_observation"]))
            n_steps += 1
            self._last_obs = new_obs
            self._last_episode_starts = dones
        rollout_buffer.pos, rollout_buffer.full = n_steps, n_steps == rollout_buffer.buffer_size
        self._add_what_follows(rollout_buffer, truncated, memories)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _add_what_follows(
        self,
        buffer: RolloutBuffer,
        truncated: Sequence[tuple[int, int, dict[str, Any]]],
        memories: dict[str, Memory],
    ) -> None:
        """Computes a rollout's returns, with the values of what follows its last steps.

        Args:
            buffer: the rollout, just played.
            truncated: step, environment and last observation of each episode that was cut. A time
                limit is no end: the value of what would follow counts.
            memories: by key, the layers' values of windows met in this rollout.
        """
        assert self._last_obs is not None
        with torch.inference_mode():
            if truncated:
                steps, rows, last = zip(*truncated, strict=True)
                stacked = {key: np.stack([one[key] for one in last]) for key in last[0]}
                values = self._values_after(self._as_tensors(stacked, memories), steps, rows)
                buffer.rewards[steps, rows] += self.gamma * values.cpu().numpy()
            rows = range(buffer.n_envs)
            values = self._values_after(
                self._as_tensors(self._last_obs, memories), [buffer.pos - 1] * len(rows), rows
            )
        buffer.compute_returns_and_advantage(last_values=values, dones=self._last_episode_starts)

    def train(self) -> None:
        """Updates the policy from the rollout, as SB3's PPO does."""
        if not self.is_fast:
            super().train()
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip = self.clip_range(self._current_progress_remaining)
        clip_vf = self.clip_range_vf and self.clip_range_vf(self._current_progress_remaining)
        parameters = [p for p in self.policy.parameters() if p.requires_grad]
        data = self._rollout()
        stats: list[Tensor] = []
        last_epoch = 0
        stopped = False
        views = repeat(data) if self.augmentation is None else self.augmentation.views(data)
        for view in islice(views, self.n_epochs):
            last_epoch = len(stats)
            for rows in view.minibatches(self.batch_size):
                gradients, stat = self._gradients(view, rows, parameters, clip, clip_vf)
                stats.append(stat)
                if self.target_kl is not None and stat[-1].item() > 1.5 * self.target_kl:
                    stopped = True
                    break
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                torch.nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
                self.policy.optimizer.step()
            self._n_updates += 1
            if stopped:
                break
        self._log(torch.stack(stats).cpu().numpy(), last_epoch, clip, clip_vf)

    def _gradients(
        self,
        data: Rollout,
        rows: Indices,
        parameters: Sequence[Tensor],
        clip: float,
        clip_vf: float | None,
    ) -> tuple[list[Tensor | None], Tensor]:
        """Computes the gradient of the loss over a minibatch, summed over its chunks.

        Args:
            data: the rollout.
            rows: of the minibatch, (M,).
            parameters: of the policy.
            clip: of the ratio of probabilities.
            clip_vf: of the change of the values; None for none.

        Returns:
            One gradient a parameter, None where the loss does not depend on it, and the minibatch's
            `STATISTICS` (5,).
        """
        advantages = data.advantages[torch.from_numpy(rows).to(self.device)]
        centre, scale = torch.zeros(()), torch.ones(())
        if self.normalize_advantage and len(rows) > 1:
            centre, scale = advantages.mean(), advantages.std() + 1e-8
        coefficients = Coefficients(clip, clip_vf, self.vf_coef, self.ent_coef)
        n = len(rows)

        def one(chunk: Indices) -> tuple[Sequence[Tensor | None], Tensor]:
            where = torch.from_numpy(chunk).to(self.device)
            logits, values = self._of_chunk(data, chunk)
            played = Played(
                data.actions[where],
                data.log_probs[where],
                (data.advantages[where] - centre) / scale,
                data.values[where],
                data.returns[where],
            )
            loss, statistics = summed_loss(logits, values, played, coefficients, n)
            return torch.autograd.grad(loss, parameters, allow_unused=True), statistics

        parts = list(self._each(one, data.chunks(rows)))
        # Autograd may hand out one tensor for two parameters, so the sum has its own.
        total = [None if gradient is None else gradient.clone() for gradient in parts[0][0]]
        for gradients, _ in parts[1:]:
            for i, gradient in enumerate(gradients):
                so_far = total[i]
                if gradient is not None:
                    total[i] = gradient.clone() if so_far is None else so_far.add_(gradient)
        return total, torch.stack([stat for _, stat in parts]).sum(0)

    def _each(self, work: Any, chunks: Sequence[Indices]) -> Iterator[Any]:
        """Applies `work` to every chunk on `threads` threads; results come in the chunks' order."""
        if self.threads == 1 or len(chunks) == 1 or self.device.type != "cpu":
            return map(work, chunks)
        if self._pool is None:
            # torch counts the threads inside an operation for each thread apart.
            self._pool = ThreadPoolExecutor(
                self.threads, "learner", initializer=torch.set_num_threads, initargs=(1,)
            )
        return self._pool.map(work, chunks)

    def _play(self, observation: Observation, step: int) -> tuple[Tensor, Tensor]:
        """Returns logits (B, A) and values (B,) for the observations before a step of a rollout."""
        return self._logits_and_values(observation)

    def _values_after(
        self, observation: Observation, steps: Sequence[int], rows: Sequence[int]
    ) -> Tensor:
        """Returns values (K,) of the observations that step `steps[k]` of row `rows[k]` led to."""
        return self._logits_and_values(observation)[1]

    def _rollout(self) -> Rollout:
        """Returns the rollout in the buffer as tensors."""
        return Rollout(self.rollout_buffer, self.device, self._repeats, self.chunk)

    def _of_chunk(self, data: Rollout, rows: Indices) -> tuple[Tensor, Tensor]:
        """Returns logits (M, A) and values (M,) for a chunk's rows (M,) of a rollout."""
        return self._logits_and_values(data.observations(rows))

    def _logits_and_values(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """Returns logits (B, A) and values (B,) for observations (B, ...)."""
        policy = self.policy
        actor, critic = policy.mlp_extractor(self._features(observation))
        return policy.action_net(actor), policy.value_net(critic).flatten()

    def _features(self, observation: Observation) -> Tensor:
        """Returns the extractor's features (B, features_dim) of observations (B, ...)."""
        policy = self.policy
        if not self._native:
            observation = preprocess_obs(
                observation, self.observation_space, normalize_images=policy.normalize_images
            )
        features: Tensor = policy.features_extractor(observation)
        return features

    def actor(self, greedy: bool = False) -> Actor:
        """Returns a function that plays, faster than `predict`.

        It may be used as long as the weights stay as they are: features of maps are remembered.

        Args:
            greedy: take the likeliest action, rather than draw one.
        """
        if not self.is_fast:
            return lambda batch, _: np.asarray(self.predict(batch, deterministic=greedy)[0])
        self.policy.set_training_mode(False)
        memories = {key: Memory() for key in self._repeats}
        logits_of = self._player()

        def act(observation: Observation, begun: Begun) -> npt.NDArray[np.int64]:
            with torch.inference_mode():
                logits = logits_of(self._as_tensors(observation, memories), begun)
                chosen = logits.argmax(1) if greedy else sampled(logits)[0].flatten()
            actions: npt.NDArray[np.int64] = chosen.cpu().numpy()
            return actions

        return act

    def _player(self) -> Callable[[Observation, Begun], Tensor]:
        """Returns a function from observations and which begin an episode, (B,), to logits."""
        return lambda observation, _: self._logits_and_values(observation)[0]

    def _as_tensors(self, observation: Any, memories: dict[str, Memory]) -> Observation:
        """Turns observations (B, ...) into what the network takes while playing."""
        return {
            key: memories[key].look(values, self._repeats[key])
            if key in memories
            else torch.from_numpy(values).to(self.device)
            for key, values in observation.items()
        }

    def _log(self, stats: Any, last_epoch: int, clip: float, clip_vf: float | None) -> None:
        """Records what SB3 records; `approx_kl` is the last epoch's there too."""
        buffer = self.rollout_buffer
        for i, name in enumerate(STATISTICS):
            of = stats[last_epoch:, i] if name == "approx_kl" else stats[:, i]
            self.logger.record(f"train/{name}", np.mean(of))
        policy, value, entropy = stats[-1, :3]
        self.logger.record("train/loss", policy + self.ent_coef * entropy + self.vf_coef * value)
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip)
        if clip_vf is not None:
            self.logger.record("train/clip_range_vf", clip_vf)


def sampled(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Draws actions from logits (B, A), as SB3 draws them.

    Returns:
        Actions (B, 1) int64, and their log probabilities (B,).
    """
    scores = F.log_softmax(logits, -1)
    actions = torch.multinomial(scores.exp(), 1)
    return actions, scores.gather(1, actions).flatten()
