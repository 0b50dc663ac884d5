"""Measures steps a second of shaped agents: ours beside stable-baselines3's PPO.

Both train on KeyRoom-S15, judged by `rules`, in our environments and with the settings that `calm
train` begins with there; they differ by who collects and who updates. They take turns, one rollout
with its update each a round, after one to warm up. Then ours makes one more on one thread, to tell
where the time goes (`time_spent`), and what its rate would be were there nothing but products of
matrices to compute.

Ratios, ours over theirs in steps a second, larger is better:
    sb3_judged             ours over stable-baselines3's
    sb3_judged_bfloat16    the same in bfloat16
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from stable_baselines3 import PPO

from agents.bench import settings
from agents.bench.train_encoders import Contestant, contestant, seconds_by_work, take_turns
from agents.ppo.fast_ppo import FastPPO
from agents.training.settings.config import TrainConfig, make_config
from agents.training.settings.families import family_of
from agents.training.settings.idle import refuse_idle
from calm.bench.harness import Row, Say, machine, ratio, row
from envs.tasks import task_id

TASK = "KeyRoom-S15"
ALIKE = {"augment": "none", "n_epochs": 3}
"""Over the family's settings: SB3 turns no rollout, which the eight passes are for."""


def run(quick: bool = False, progress: Say = lambda text: None, **more: Any) -> dict[str, Any]:
    """Measures them; returns the report of a bench.

    Args:
        quick: one round instead of five.
        progress: called with what is being measured.
        **more: settings of `TrainConfig`, over those of the task's family.
    """
    config = make_config({"task": TASK, **family_of(task_id(TASK)).settings, **ALIKE, **more})
    refuse_idle(more, [config])
    contestants = {
        "ours": contestant(config),
        "ours, bfloat16": contestant(config.model_copy(update={"precision": "bfloat16"})),
        "SB3": sb3(config),
    }
    rates = take_turns(contestants, 1 if quick else 5, progress)
    seconds_by = seconds_by_work(config)
    whole = sum(seconds_by.values())
    shares = {kind: 100 * seconds / whole for kind, seconds in seconds_by.items()}
    free = [100 * rate / shares["products"] for rate in rates["ours"]]
    rows: list[Row] = [
        *(row(name, "steps/s", of) for name, of in rates.items()),
        *(row(f"ours, time in {kind}", "%", [share]) for kind, share in shares.items()),
        row("ours, were all but products free", "steps/s", free),
    ]
    ratios = {
        "sb3_judged": round(ratio(rates["ours"], rates["SB3"]), 2),
        "sb3_judged_bfloat16": round(ratio(rates["ours, bfloat16"], rates["SB3"]), 2),
    }
    return {"bench": "train", "machine": machine(), "rows": rows, "ratios": ratios}


def sb3_ppo(config: TrainConfig, ours: FastPPO) -> PPO:
    """Returns stable-baselines3's PPO in our agent's environments, with its network."""
    return PPO(
        "MultiInputPolicy",
        ours.get_env(),
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        learning_rate=ours.learning_rate,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.ent_coef,
        seed=config.seed,
        device="cpu",
        policy_kwargs=ours.policy_kwargs,
    )


def sb3(config: TrainConfig) -> Contestant:
    """Returns stable-baselines3's PPO with these settings, with a thread for each core."""
    theirs = contestant(config, partial(sb3_ppo, config))

    def train() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(settings.CORES)
        try:
            theirs.train()
        finally:
            torch.set_num_threads(threads)

    return theirs._replace(train=train)
