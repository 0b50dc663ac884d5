"""Trains with PufferLib 3, a contestant of `calm bench train`; runs where it is installed.

Its trainer draws minibatches by priority and uses an optimiser of its own; priorities are switched
off here and the optimiser is Adam, as for all.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from pufferlib import emulation, pufferl, vector
from pufferlib import pytorch as convert

from agents.bench import settings
from agents.bench.network import SIZES, BenchNetwork


class Policy(torch.nn.Module):
    """The network of the bench with a head for actions and one for the value."""

    def __init__(self, env: Any, size: str) -> None:
        super().__init__()
        self.dtype = convert.nativize_dtype(env.emulated)
        self.network = BenchNetwork(size)
        self.hidden_size = SIZES[size].joint
        self.action = torch.nn.Linear(self.hidden_size, env.single_action_space.n)
        self.value = torch.nn.Linear(self.hidden_size, 1)

    def forward(self, observations: Any, state: Any = None) -> Any:
        by_key = convert.nativize_tensor(observations, self.dtype)
        features = self.network(*(by_key[key] for key in settings.KEYS))
        return self.action(features), self.value(features)

    forward_eval = forward


def make_env(**options: Any) -> Any:
    """Returns one MiniHack environment as PufferLib wraps it."""
    return emulation.GymnasiumPufferEnv(env_creator=settings.minihack, **options)


def learn(size: str, seconds: float, backend: str) -> settings.StepsAndSeconds:
    """Trains in PufferLib's vector, `Serial` or `Multiprocessing`; returns steps and seconds."""
    spread = (
        {"num_workers": settings.CORES, "batch_size": settings.ENVS}
        if backend == "Multiprocessing"
        else {}
    )
    env = vector.make(make_env, backend=backend, num_envs=settings.ENVS, **spread)
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "env": settings.TASK,
            "seed": 0,
            "torch_deterministic": True,
            "cpu_offload": False,
            "device": "cpu",
            "optimizer": "adam",
            "anneal_lr": False,
            "precision": "float32",
            "total_timesteps": 10**9,
            "learning_rate": settings.RATE,
            "gamma": settings.GAMMA,
            "gae_lambda": settings.LAMBDA,
            "update_epochs": settings.EPOCHS,
            "clip_coef": 0.2,
            "vf_coef": 0.5,
            "vf_clip_coef": 0.2,
            "max_grad_norm": 0.5,
            "ent_coef": settings.ENTROPY,
            "adam_beta1": 0.9,
            "adam_beta2": 0.999,
            "adam_eps": 1e-5,
            "data_dir": folder,
            "checkpoint_interval": 10**9,
            "batch_size": settings.ROLLOUT,
            "minibatch_size": settings.ROLLOUT // settings.MINIBATCHES,
            "max_minibatch_size": settings.ROLLOUT,
            "bptt_horizon": settings.STEPS,
            "compile": False,
            "vtrace_rho_clip": 1.0,
            "vtrace_c_clip": 1.0,
            "prio_alpha": 0.0,
            "prio_beta0": 1.0,
            "use_rnn": False,
        }
        trainer = pufferl.PuffeRL(config, env, Policy(env.driver_env, size))
        done, start = 0, 0.0
        for number in range(10**9):
            if number == 1:  # one to warm up
                start = time.perf_counter()
            trainer.evaluate()
            trainer.train()
            if number and (taken := time.perf_counter() - start) >= seconds:
                break
            done = number
    env.close()
    return (done + 1) * settings.ROLLOUT, taken
