"""Puts zeros where tokens are masked, whatever stands there."""

from __future__ import annotations

import torch
from torch import Tensor


def zero_void(x: Tensor, mask: Tensor | None) -> Tensor:
    """Returns x with 0 wherever `mask` is False, and no gradient there.

    A choice and not a product: times 0 a NaN or an infinity stays NaN, forward and in the gradient,
    and from there it reaches what is valid.

    Args:
        x: (batch, tokens, ...), floating point.
        mask: (batch, tokens) bool, or with as many axes as x; None where everything is valid.
    """
    if mask is None:
        return x
    return torch.where(mask.view(*mask.shape, *(1,) * (x.ndim - mask.ndim)), x, 0.0)
