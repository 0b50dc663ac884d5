"""Makes a branch start small: out = γ ⊙ f(x), γ a learned scale for each channel, at first 0.1.

LayerScale (Touvron et al. 2021, arXiv 2103.17239). Beside a residual, x + γ f(norm(x)), it makes
every mechanism start near the identity, whatever its own scale at the start (a gate near 1, a
softmax over a thousand cells, a LayerNorm at its end), so that what PPO measures of them at first
is not their initialisation. Not 0, which would leave the mechanism without gradient at first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scaled(nn.Module):
    """Multiplies a mechanism's result (batch, tokens, dim) by γ.

    Args:
        mechanism: takes (x, mask); it stays reachable by this name.
        dim: channels.
        scale: γ at first.
    """

    def __init__(self, mechanism: nn.Module, dim: int, scale: float = 0.1) -> None:
        super().__init__()
        self.mechanism = mechanism
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.mechanism(x, mask) * self.scale
        return out
