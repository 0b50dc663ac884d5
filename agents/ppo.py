"""The PPO agent of a run, built from its settings."""

from __future__ import annotations

import torch
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.config import TrainConfig
from agents.extractor import NetHackExtractor
from agents.fast_ppo import FastPPO


def make_ppo(config: TrainConfig, env: VecEnv, threads: int = 1) -> FastPPO:
    """A fresh agent: weights and actions follow `config.seed`, on any number of threads."""
    return FastPPO(
        "MultiInputPolicy",
        env,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        learning_rate=config.learning_rate
        if config.learning_rate_end is None
        else LinearSchedule(config.learning_rate, config.learning_rate_end, 1.0),
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.ent_coef,
        seed=config.seed,
        threads=threads,
        device="cuda" if torch.cuda.is_available() else "cpu",
        policy_kwargs={
            "features_extractor_class": NetHackExtractor,
            "features_extractor_kwargs": {
                "features_dim": config.features_dim,
                "encoder": config.encoder,
                "encoder_options": config.encoder_options,
            },
            "optimizer_kwargs": {"eps": 1e-5, "fused": True},  # as SB3's own, in one pass
            "net_arch": [],  # the extractor's joint layer is what policy and value share
        },
    )
