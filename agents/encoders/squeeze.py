"""Squeeze-and-excitation: channels gated by their means over the whole map.

    out = x · sigmoid(W_2 ReLU(W_1 mean_cells(x)))

Source: Hu et al., CVPR 2018, arXiv 1709.01507, equations 2 to 4, reduction r = 16. The baseline
of class-semantics attention, which learns its gates from something other than what it gates.
Masked cells are left out of the mean and get 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.encoders.masking import zero_void


class SqueezeExcitation(nn.Module):
    """Maps cells x (batch, cells, dim) to the same shape; mask (batch, cells), True where valid.

    Args:
        dim: channels.
        reduction: r, by which the hidden layer is narrower.
    """

    def __init__(self, dim: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, dim // reduction)
        self.gate = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        wide = zero_void(x if x.dtype == torch.float64 else x.float(), mask)
        if mask is None:
            mean = wide.mean(1)
        else:
            mean = wide.sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        return (wide * torch.sigmoid(self.gate(mean)).unsqueeze(1)).to(x.dtype)
