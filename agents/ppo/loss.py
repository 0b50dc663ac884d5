"""Computes PPO's loss over a part of a minibatch (Schulman et al. 2017, arXiv 1707.06347).

L = -min(r A, clip(r, 1 - c, 1 + c) A) + v (V - R)² - e H, equation 9 with SB3's signs, where r is
the ratio of an action's probabilities now and when it was drawn, A its advantage, R the return, V
the value and H the policy's entropy.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

STATISTICS = (
    "policy_gradient_loss",
    "value_loss",
    "entropy_loss",
    "clip_fraction",
    "approx_kl",
)
"""What SB3 logs of an update."""


class Played(NamedTuple):
    """M transitions of a rollout, as they were played."""

    actions: Tensor
    """(M, 1) int64."""
    log_probs: Tensor
    """(M,) of the actions, when they were drawn."""
    advantages: Tensor
    """(M,), normalised over the whole minibatch if at all."""
    values: Tensor
    """(M,) of the policy that played."""
    returns: Tensor
    """(M,)."""


class Coefficients(NamedTuple):
    """Of the loss."""

    clip: float
    """c, how far the ratio may leave 1."""
    clip_vf: float | None
    """How far values may move; None for any distance."""
    value: float
    """v."""
    entropy: float
    """e."""


def summed_loss(
    logits: Tensor, values: Tensor, played: Played, by: Coefficients, n: int
) -> tuple[Tensor, Tensor]:
    """Returns the part of a minibatch's mean loss that M of its transitions are, and statistics.

    Args:
        logits: (M, A) of the present policy.
        values: (M,) likewise.
        played: the transitions.
        by: coefficients.
        n: transitions of the whole minibatch.

    Returns:
        The loss, a scalar with gradients, and its share (5,) of `STATISTICS`, without. Summed
        over all parts of a minibatch, both are the minibatch's.
    """
    scores = F.log_softmax(logits, -1)
    log_prob = scores.gather(1, played.actions).flatten()
    log_ratio = log_prob - played.log_probs
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - by.clip, 1 + by.clip)
    policy_loss = -torch.min(played.advantages * ratio, played.advantages * clipped).sum() / n
    if by.clip_vf is not None:
        old = played.values
        values = old + (values - old).clamp(-by.clip_vf, by.clip_vf)
    value_loss = F.mse_loss(values, played.returns, reduction="sum") / n
    entropy_loss = (scores.exp() * scores).sum() / n
    loss = policy_loss + by.entropy * entropy_loss + by.value * value_loss
    with torch.no_grad():
        outside = ((ratio - 1).abs() > by.clip).float().sum() / n
        kl = ((ratio - 1) - log_ratio).sum() / n
        statistics = torch.stack([policy_loss, value_loss, entropy_loss, outside, kl])
    return loss, statistics
