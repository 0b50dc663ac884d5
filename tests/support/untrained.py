"""An agent that has learned nothing, and what it sees first of some levels."""

import torch
from stable_baselines3 import PPO
from torch import Tensor

from agents.training.agent import make_ppo
from agents.training.settings.config import TrainConfig
from envs import make_vec


def agent_and_crops(config: TrainConfig) -> tuple[PPO, dict[str, Tensor]]:
    """An agent with these settings on Room-5x5, and its first crops of two levels."""
    env = make_vec("Room-5x5", 2, kind="sb3", keys=config.keys, workers=0)
    try:
        model = make_ppo(config, env)
        return model, {"glyphs_crop": torch.as_tensor(env.reset()["glyphs_crop"]).float()}
    finally:
        env.close()
