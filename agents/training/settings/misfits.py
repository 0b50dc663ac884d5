"""Finds settings of a training run that can't go together, each of which alone could."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.training.settings.config import TrainConfig

MOST_TRANSITIONS = 1 << 20
"""Transitions of one rollout, at most; with the default keys they take half a gigabyte."""
MOST_MEMORY = 1 << 30
"""Bytes that an LSTM may keep of a rollout."""


def misfit(config: TrainConfig) -> str:
    """Returns the first pair of settings that can't go together, with the way out; else ""."""
    checks = (_of_pay, _of_rollouts, _of_a_stack, _of_turning)
    return next((fault for check in checks for fault in check(config)), "")


def _of_pay(config: TrainConfig) -> Iterator[str]:
    if config.bonus == "novelty:relevant" and config.judge == "none":
        yield (
            "bonus=novelty:relevant pays for new events that a judge says achieve something;"
            " name a judge (weight=0 pays for nothing else), or take bonus=novelty"
        )


def _of_rollouts(config: TrainConfig) -> Iterator[str]:
    transitions = config.n_envs * config.n_steps
    if transitions > MOST_TRANSITIONS:
        yield (
            f"a rollout of n_envs x n_steps = {transitions:,} transitions does not fit into memory;"
            f" at most {MOST_TRANSITIONS:,}"
        )
    if config.memory == "lstm" and 8 * transitions * config.features_dim > MOST_MEMORY:
        yield (
            "memory=lstm keeps 8 x n_envs x n_steps x features_dim bytes of a rollout, at most"
            " 1 GiB; take fewer"
        )
    if transitions < 2 * config.minibatches:
        yield (
            f"{config.minibatches} minibatches leave fewer than two transitions in each of"
            f" {transitions}; take fewer, or more n_steps"
        )


def _of_a_stack(config: TrainConfig) -> Iterator[str]:
    if config.memory != "stack":
        return
    if config.window < 2:
        yield (
            f"memory=stack keeps the last `window` crops, at least 2, got window={config.window};"
            " set memory=none to see the present one alone"
        )
    if config.encoder == "semantics":
        yield (
            "memory=stack adds nothing to the encoder semantics, which looks back `window` steps"
            " itself; set memory=none"
        )
    if "glyphs_crop" not in config.keys:
        yield "memory=stack keeps crops; add glyphs_crop to the keys"


def _of_turning(config: TrainConfig) -> Iterator[str]:
    if config.augment != "dihedral":
        return
    if "glyphs" in config.keys or "glyphs_crop" not in config.keys:
        yield (
            "augment=dihedral turns crops, not the level, which is no square: keys need glyphs_crop"
            f" and not glyphs, got {', '.join(config.keys)}; set augment=none"
        )
    if config.memory == "lstm":
        yield (
            "augment=dihedral can't go with memory=lstm, which remembers the level as it was"
            " played; set augment=none, and n_epochs=3, since many passes want turning"
        )
