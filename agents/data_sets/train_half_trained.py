"""Trains a player half way and writes its weights: `calm players train KeyRoom-S5`.

PPO on train levels, paid by the task and by the engine's own subgoals, until it finishes a little
less than half of its episodes; then success on held-out levels is measured, and the weights are
written beside `half_trained.py` with what made them. One seed gives one player on one machine:
what is shipped are the weights, since torch's sums differ between machines.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import nn

from agents.training.run.folder import provenance
from calm.errors import CalmError
from calm.files import write_file
from data.scoring.metrics import wilson
from envs import make_vec
from envs.collect import play
from envs.players.half_trained import (
    FEATURE_KEYS,
    LAYERS,
    WIDTH,
    HalfTrained,
    Network,
    features,
    save_network,
)
from envs.tasks import task as find_task

HALF_WAY = (0.3, 0.6)
"""Success on held-out levels between which a player counts as half trained."""
EPISODES = 200
"""Held-out levels on which a player is measured."""


class Featured(VecEnvWrapper):
    """Environments whose observation is `envs.players.half_trained.features`, float32.

    Args:
        venv: environments of stable-baselines3 with the keys `FEATURE_KEYS`.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv, spaces.Box(-1.0, 1.0, (WIDTH,), np.float32))

    def reset(self) -> npt.NDArray[np.float32]:
        return self._features(self.venv.reset())

    def step_wait(self) -> Any:
        observation, rewards, dones, infos = self.venv.step_wait()
        for i in np.flatnonzero(dones):
            last = infos[i]["terminal_observation"]
            infos[i]["terminal_observation"] = self._features(
                {k: last[k][None] for k in FEATURE_KEYS}
            )[0]
        return self._features(observation), rewards, dones, infos

    @staticmethod
    def _features(observation: Any) -> npt.NDArray[np.float32]:
        return features(*(observation[key] for key in FEATURE_KEYS)).astype(np.float32)


def network_of(model: PPO) -> Network:
    """Returns the policy's arrays by their names in `envs.players.half_trained`, in float64."""
    layers = [*model.policy.mlp_extractor.policy_net, model.policy.action_net]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return {
        f"{name}.{part}": getattr(layer, part).detach().cpu().numpy().astype(np.float64)
        for name, layer in zip(LAYERS, linear, strict=True)
        for part in ("weight", "bias")
    }


class _UntilHalfWay(BaseCallback):
    """Stops training once a share of the last 100 episodes was finished.

    Args:
        goal: the share, in (0, 1].
    """

    def __init__(self, goal: float) -> None:
        super().__init__()
        self.goal = goal
        self.reached = False

    def _on_step(self) -> bool:
        return not self.reached

    def _on_rollout_end(self) -> None:
        ended = list(self.model.ep_info_buffer or ())
        success = float(np.mean([e["success"] for e in ended])) if ended else 0.0
        credit = float(np.mean([e["credit"] for e in ended])) if ended else 0.0
        sys.stderr.write(
            f"{self.num_timesteps} steps: of the last 100 episodes {success:.2f} finished,"
            f" {credit:.2f} subgoals an episode\n"
        )
        # The next step ends it: after the update from this rollout.
        self.reached = len(ended) >= 100 and success >= self.goal


def train(task_id: str, seed: int, goal: float, most: int) -> tuple[PPO, int]:
    """Trains until a share `goal` of episodes is finished; returns the model and its steps.

    Args:
        task_id: a whole id.
        seed: of weights, actions and levels.
        goal: in (0, 1].
        most: environment steps after which training stops anyway.
    """
    torch.set_num_threads(1)
    env = make_vec(
        task_id,
        32,
        kind="sb3",
        seed=seed,
        keys=FEATURE_KEYS,
        penalty=False,
        judge="truth",
        weight=0.3,
        progress=False,
        workers=0,
    )
    try:
        model = PPO(
            "MlpPolicy",
            Featured(env),
            n_steps=128,
            batch_size=1024,
            n_epochs=3,
            learning_rate=5e-4,
            ent_coef=0.02,
            seed=seed,
            device="cpu",
            policy_kwargs={"net_arch": [48, 48], "activation_fn": nn.ReLU},
        )
        model.set_logger(Logger(None, []))
        model.learn(most, callback=_UntilHalfWay(goal))
        return model, int(model.num_timesteps)
    finally:
        env.close()


def success_of(task_id: str, network: Network, episodes: int) -> float:
    """Returns the share of held-out levels that a network finishes, played by NumPy."""
    player = HalfTrained(task_id, network)
    last = "reach the staircase down"
    ended = [
        p.truth[last]
        for p in play(task_id, player, episodes=episodes, split="test", seed=0)
        if p.transition.terminated or p.transition.truncated
    ]
    return sum(ended) / len(ended)


def train_player(task: str, goal: float, most: int, seed: int, out: Path) -> dict[str, Any]:
    """Trains a player half way, measures it and writes its weights with what made them.

    Args:
        task: id, short or whole.
        goal: share of training episodes finished at which training stops.
        most: environment steps after which training stops anyway.
        seed: of weights, actions and levels.
        out: folder for TASK.npz and TASK.json.

    Returns:
        The content of TASK.json: `train_steps`, `success` and its 95 % interval, versions, ...

    Raises:
        CalmError: success on held-out levels is not between `HALF_WAY`; nothing is written.
    """
    id = find_task(task).id
    model, steps = train(id, seed, goal, most)
    network = network_of(model)
    rate = success_of(id, network, EPISODES)
    low, high = wilson(rate * EPISODES, EPISODES)
    if not HALF_WAY[0] <= rate <= HALF_WAY[1]:
        raise CalmError(
            f"success {rate:.2f} is not between {HALF_WAY[0]} and {HALF_WAY[1]} after {steps}"
            " steps; change --goal or --most"
        )
    path = out / f"{id}.npz"
    save_network(path, network)
    about = {
        "task": id,
        "made_by": f"calm players train {task} --goal {goal} --most {most} --seed {seed}",
        "algorithm": "PPO (stable-baselines3), 32 environments of 128 steps, true subgoals pay 0.3"
        " once an episode, no penalty for idle steps",
        "train_steps": steps,
        "success": rate,
        "success_95": [round(low, 4), round(high, 4)],
        "held_out_levels": EPISODES,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "versions": {k: v for k, v in provenance().items() if k != "started"},
    }
    write_file(path.with_suffix(".json"), json.dumps(about, indent=2) + "\n")
    return about
