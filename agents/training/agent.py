"""Makes the PPO agent of a run from its settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from stable_baselines3.common.vec_env import VecEnv

from agents.network.extractor import NetHackExtractor
from agents.ppo.dihedral import Dihedral
from agents.ppo.fast_ppo import FastPPO
from agents.ppo.fast_recurrent_ppo import FastRecurrentPPO
from agents.training.settings.config import TrainConfig
from calm.errors import UsageError
from calm.records import Subgoal
from envs.interfaces.sb3_vec import Sb3Vec


class NoOptimizer:
    """Stands in the place of an optimizer of a policy that is not trained.

    torch loads its compiler with the first optimizer, which takes seconds.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], **settings: Any) -> None:
        self.param_groups: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """Returns nothing: it has learned nothing. stable-baselines3 saves it with the policy."""
        return {}


def make_ppo(
    config: TrainConfig,
    env: VecEnv,
    threads: int = 1,
    subgoals: Sequence[Subgoal] = (),
    *,
    learns: bool = True,
) -> FastPPO:
    """Returns an untrained agent.

    Args:
        config: names encoder, memory and PPO's settings; its seed fixes weights and actions.
        env: B environments whose observations the encoder reads.
        threads: that compute an update; the numbers don't depend on it.
        subgoals: that the judge answers about, whose words an encoder may read; of an agent whose
            weights are loaded they are in those.
        learns: False for one that plays alone.

    Raises:
        UsageError: rollouts are to be turned (`augment`) where directions can't be told.
    """
    rate: Any = config.learning_rate
    if config.learning_rate_end is not None:
        rate = partial(_learning_rate, config)
    extractor = {
        "features_dim": config.features_dim,
        "encoder": config.encoder,
        "encoder_options": config.encoder_options,
        "past": config.memory == "stack",
        "subgoal_names": [subgoal.name for subgoal in subgoals],
    }
    settings: dict[str, Any] = {
        "threads": threads,
        "precision": config.precision,
        "n_steps": config.n_steps,
        "batch_size": config.batch_size,
        "n_epochs": config.n_epochs,
        "learning_rate": rate,
        "gamma": config.gamma,
        "gae_lambda": config.gae_lambda,
        "ent_coef": config.ent_coef,
        "seed": config.seed,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "policy_kwargs": {
            "features_extractor_class": NetHackExtractor,
            "features_extractor_kwargs": extractor,
            "optimizer_kwargs": {"eps": 1e-5, "fused": True},  # as SB3's own, in one pass
            "net_arch": [],  # the extractor's joint layer is what policy and value share
        },
    }
    if learns and config.augment == "dihedral":
        settings["augmentation"] = _dihedral(env)
    if not learns:
        settings["policy_kwargs"] |= {"optimizer_class": NoOptimizer, "optimizer_kwargs": {}}
    if config.memory != "lstm":
        return FastPPO("MultiInputPolicy", env, **settings)
    settings["policy_kwargs"] |= {"lstm_hidden_size": config.features_dim}
    settings["values_train_memory"] = config.values_train_memory
    return FastRecurrentPPO("MultiInputLstmPolicy", env, **settings)


def _learning_rate(config: TrainConfig, remaining: float) -> float:
    """Returns the learning rate where this share of the run's steps remains, in [0, 1]."""
    return config.scheduled("learning_rate", (1 - remaining) * config.steps)


def _dihedral(env: VecEnv) -> Dihedral:
    """Returns what turns and mirrors the rollouts of environments.

    Raises:
        UsageError: keys that tell directions mean something else too, or one has no image.
    """
    assert isinstance(env, Sb3Vec)
    rules = env.batch.rules
    if rules.allow_all_yn:
        raise UsageError(
            f"augment=dihedral can't be had for {env.batch.task}: the game leaves questions to the"
            " agent there, and y and n are directions as well as answers; leave it none"
        )
    try:
        return Dihedral(rules.presses)
    except ValueError as error:
        raise UsageError(f"augment=dihedral can't be had for {env.batch.task}: {error}") from None
