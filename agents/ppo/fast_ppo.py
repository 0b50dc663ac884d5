"""stable-baselines3's PPO with its collection and its update done faster, and the same numbers.

Same seeds and data give the same actions, losses and weights as SB3's own code to rounding (a test
compares them). What is faster, on a CPU:

- observations keep their own dtype until the network looks at them, and the rollout's memory is
  used again;
- actions are sampled and scored without `torch.distributions`; maps met before in a rollout are not
  computed again; values of truncated episodes are computed together at its end;
- a minibatch is computed in chunks that fit the caches, equal maps once
  (`agents.network.kernels.minibatch_chunks`), several
  chunks at a time on as many threads, linear layers by oneDNN
  (`agents.network.kernels.onednn_linear`). The gradient is
  the sum over chunks in their order, so the number of threads changes not even the last digit;
- statistics are read once an update, Adam is fused.

On a GPU a minibatch is one chunk, and the rollout is moved there once.

Callbacks, loggers, `evaluate_policy`, `save` and `load` are SB3's. An extractor whose class says
`reads_native = True` takes observations as they are (int16, uint8, ...), others get what SB3 would
give them; one that lists keys in `repeats` takes
`agents.network.kernels.minibatch_chunks.Repeated` for those in an update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional as F

from agents.network.kernels.minibatch_chunks import CHUNK, Ids, Memory, cut, number_rows, pick
from agents.network.kernels.onednn_linear import quicken

Observation = dict[str, Any]
STATS = ("policy_gradient_loss", "value_loss", "entropy_loss", "clip_fraction", "approx_kl")


class KeptRollout(DictRolloutBuffer):
    """SB3's rollout buffer for dictionaries, whose memory is kept from one rollout to the next."""

    observations: dict[str, Any]
    _NAMES = (
        "actions", "rewards", "returns", "episode_starts", "values", "log_probs", "advantages",
    )  # fmt: skip

    def reset(self) -> None:
        """Empties it; what was flattened by `get` gets its shape back."""
        if "_kept" not in self.__dict__:
            super().reset()
            self._kept = {name: getattr(self, name) for name in self._NAMES}
            self._kept_observations = self.observations
        self.__dict__ |= self._kept
        self.observations = dict(self._kept_observations)
        self.pos, self.full, self.generator_ready = 0, False, False


class FastPPO(PPO):
    """PPO as stable-baselines3 has it, faster.

    It is SB3's own code where ours knows no better: for actions that are not discrete, observations
    that are no dictionary, gSDE, and policies that don't share their extractor.

    Args:
        threads: that compute chunks of a minibatch at the same time, on a CPU. The numbers don't
            depend on it.
        chunk: transitions in a chunk, about.
        **settings: as PPO.
    """

    rollout_buffer_class: Any
    _last_obs: Any
    _last_episode_starts: Any

    def __init__(
        self, policy: Any, env: Any, *, threads: int = 1, chunk: int = CHUNK, **settings: Any
    ) -> None:
        self.threads, self.chunk = threads, chunk
        self._pool: ThreadPoolExecutor | None = None
        super().__init__(policy, env, **settings)

    def _setup_model(self) -> None:
        dictionary = isinstance(self.observation_space, spaces.Dict)
        if dictionary and self.rollout_buffer_class is None:
            self.rollout_buffer_class = KeptRollout
        super()._setup_model()
        self.ours = (
            isinstance(self.rollout_buffer, KeptRollout)
            and isinstance(self.action_space, spaces.Discrete)
            and not self.use_sde
            and self.policy.share_features_extractor
        )
        extractor = self.policy.features_extractor
        self._native = getattr(extractor, "reads_native", False)
        wanted = getattr(extractor, "repeats", ()) if self.device.type == "cpu" else ()
        self._repeats = [key for key in wanted if key in self.observation_space.spaces]
        if self.ours and self.device.type == "cpu":
            quicken(self.policy)
            for layer in extractor.modules():
                if isinstance(layer, torch.nn.Conv2d):
                    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_pool"]

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Plays `n_rollout_steps` in every environment; False if the callback ended training."""
        if not self.ours:
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
                logits, values = self._judge(self._given(self._last_obs, memories))
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
        with torch.inference_mode():
            if truncated:  # a time limit is no end: what would have come counts
                steps, rows, last = zip(*truncated, strict=True)
                stacked = {key: np.stack([seen[key] for seen in last]) for key in last[0]}
                _, values = self._judge(self._given(stacked, memories))
                rollout_buffer.rewards[steps, rows] += self.gamma * values.cpu().numpy()
            _, values = self._judge(self._given(self._last_obs, memories))
        rollout_buffer.compute_returns_and_advantage(last_values=values, dones=dones)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Updates the policy from the rollout, as SB3's PPO does."""
        if not self.ours:
            super().train()
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip = self.clip_range(self._current_progress_remaining)
        clip_vf = self.clip_range_vf and self.clip_range_vf(self._current_progress_remaining)
        parameters = [p for p in self.policy.parameters() if p.requires_grad]
        data = _Rollout(self)
        stats: list[Tensor] = []
        last_epoch = 0
        stopped = False
        for _ in range(self.n_epochs):
            last_epoch = len(stats)
            for rows in data.minibatches(self.batch_size):
                gradients, stat = self._gradients(data, rows, parameters, clip, clip_vf)
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
        data: _Rollout,
        rows: Ids,
        parameters: Sequence[Tensor],
        clip: float,
        clip_vf: float | None,
    ) -> tuple[list[Tensor | None], Tensor]:
        """Of the loss over a minibatch, summed over its chunks; and the minibatch's statistics."""
        advantages = data.advantages[torch.from_numpy(rows).to(self.device)]
        centre, scale = torch.zeros(()), torch.ones(())
        if self.normalize_advantage and len(rows) > 1:
            centre, scale = advantages.mean(), advantages.std() + 1e-8
        n = len(rows)

        def one(chunk: Ids) -> tuple[Sequence[Tensor | None], Tensor]:
            where = torch.from_numpy(chunk).to(self.device)
            logits, values = self._judge(data.observations(chunk))
            scores = F.log_softmax(logits, -1)
            log_prob = scores.gather(1, data.actions[where]).flatten()
            log_ratio = log_prob - data.log_probs[where]
            ratio = log_ratio.exp()
            advantage = (data.advantages[where] - centre) / scale
            clipped = ratio.clamp(1 - clip, 1 + clip)
            policy_loss = -torch.min(advantage * ratio, advantage * clipped).sum() / n
            if clip_vf is not None:
                old = data.values[where]
                values = old + (values - old).clamp(-clip_vf, clip_vf)
            value_loss = F.mse_loss(values, data.returns[where], reduction="sum") / n
            entropy_loss = (scores.exp() * scores).sum() / n
            loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            with torch.no_grad():
                outside = ((ratio - 1).abs() > clip).float().sum() / n
                kl = ((ratio - 1) - log_ratio).sum() / n
                stat = torch.stack([policy_loss, value_loss, entropy_loss, outside, kl])
            return gradients, stat

        parts = list(self._each(one, data.chunks(rows)))
        # Autograd may hand out one tensor for two parameters, so the sum has its own.
        total = [None if gradient is None else gradient.clone() for gradient in parts[0][0]]
        for gradients, _ in parts[1:]:
            for i, gradient in enumerate(gradients):
                so_far = total[i]
                if gradient is not None:
                    total[i] = gradient.clone() if so_far is None else so_far.add_(gradient)
        return total, torch.stack([stat for _, stat in parts]).sum(0)

    def _each(self, work: Any, chunks: Sequence[Ids]) -> Iterator[Any]:
        """`work` of every chunk in their order, on `threads` threads."""
        if self.threads == 1 or len(chunks) == 1 or self.device.type != "cpu":
            return map(work, chunks)
        if self._pool is None:
            # torch counts the threads inside an operation for each thread apart.
            self._pool = ThreadPoolExecutor(
                self.threads, "learner", initializer=torch.set_num_threads, initargs=(1,)
            )
        return self._pool.map(work, chunks)

    def _judge(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """Logits (B, A) and values (B,)."""
        policy = self.policy
        if not self._native:
            observation = preprocess_obs(
                observation, self.observation_space, normalize_images=policy.normalize_images
            )
        features = policy.features_extractor(observation)
        actor, critic = policy.mlp_extractor(features)
        return policy.action_net(actor), policy.value_net(critic).flatten()

    def actor(self, greedy: bool = False) -> Callable[[Observation], npt.NDArray[np.int64]]:
        """What gives the actions (B,) for observations (B, ...), faster than `predict`.

        It holds as long as the weights stay as they are: maps that it has met are remembered.
        """
        if not self.ours:
            return lambda seen: np.asarray(self.predict(seen, deterministic=greedy)[0])
        self.policy.set_training_mode(False)
        memories = {key: Memory() for key in self._repeats}

        def act(observation: Observation) -> npt.NDArray[np.int64]:
            with torch.inference_mode():
                logits, _ = self._judge(self._given(observation, memories))
                chosen = logits.argmax(1) if greedy else sampled(logits)[0].flatten()
            actions: npt.NDArray[np.int64] = chosen.cpu().numpy()
            return actions

        return act

    def _given(self, observation: Any, memories: dict[str, Memory]) -> Observation:
        """An observation (B, ...) as the network is given it while playing."""
        return {
            key: memories[key].look(values)
            if key in memories
            else torch.from_numpy(values).to(self.device)
            for key, values in observation.items()
        }

    def _log(self, stats: Any, last_epoch: int, clip: float, clip_vf: float | None) -> None:
        """Records what SB3 records; `approx_kl` is the last epoch's there too."""
        buffer = self.rollout_buffer
        for i, name in enumerate(STATS):
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
    """Actions (B, 1) drawn from logits (B, A), as SB3 draws them, and their log probabilities."""
    scores = F.log_softmax(logits, -1)
    actions = torch.multinomial(scores.exp(), 1)
    return actions, scores.gather(1, actions).flatten()


class _Rollout:
    """A full rollout as tensors on the policy's device, one row a transition, step by step."""

    def __init__(self, model: FastPPO) -> None:
        buffer = model.rollout_buffer
        self.n_envs, self.n_steps = buffer.n_envs, buffer.buffer_size
        self.whole, self.chunk = model.device.type != "cpu", model.chunk

        def flat(array: Any) -> Tensor:
            rows = array.reshape(self.n_steps * self.n_envs, *array.shape[2:])
            return torch.from_numpy(rows).to(model.device)

        self.stored = {key: flat(array) for key, array in buffer.observations.items()}
        self.actions = flat(buffer.actions).long()
        self.values, self.returns = flat(buffer.values), flat(buffer.returns)
        self.log_probs, self.advantages = flat(buffer.log_probs), flat(buffer.advantages)
        self.repeats = {key: number_rows(self.stored[key].numpy()) for key in model._repeats}

    def minibatches(self, size: int) -> Iterator[Ids]:
        """Random rows, as SB3 draws them: it counts environment by environment."""
        order = np.random.permutation(self.n_steps * self.n_envs)
        rows = order % self.n_steps * self.n_envs + order // self.n_steps
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def chunks(self, rows: Ids) -> list[Ids]:
        if self.whole:
            return [rows]
        return cut(rows, next(iter(self.repeats.values()), None), self.chunk)

    def observations(self, rows: Ids) -> Observation:
        return dict(pick(self.stored, rows, self.repeats))
