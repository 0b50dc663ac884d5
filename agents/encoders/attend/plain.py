"""Computes softmax attention in torch's own operations; shapes as `autograd.attend` has them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.encoders.masking import zero_void


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    key_mask: Tensor | None,
    query_mask: Tensor | None,
) -> Tensor:
    """Returns what each query gathers, (batch, queries, heads, size)."""
    q, k, v = zero_void(q, query_mask), zero_void(k, key_mask), zero_void(v, key_mask)
    if bias is None:
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        keys = None if key_mask is None else _counting(key_mask)[:, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
    else:
        # With a bias that learns torch's fused kernels can't be used.
        mixed = weights(q, k, bias, key_mask).to(v.dtype) @ v.transpose(1, 2)
    mixed = mixed.transpose(1, 2)
    if key_mask is not None:
        mixed = zero_void(mixed, key_mask.any(1, keepdim=True).expand(mixed.shape[:2]))
    return zero_void(mixed, query_mask)


def weights(
    q: Tensor, k: Tensor, bias: Tensor | None = None, key_mask: Tensor | None = None
) -> Tensor:
    """Returns the weight of each key for each query, (batch, heads, queries, keys) in [0, 1].

    Rows sum to 1; where no key counts, over all of them.

    Args:
        q: (batch, queries, heads, size).
        k: (batch, keys, heads, size).
        bias: (heads, queries, keys), added to the scores before the softmax.
        key_mask: (batch, keys) bool, which keys count; None for all.
    """
    q, k = q.transpose(1, 2) * q.shape[-1] ** -0.5, k.transpose(1, 2)
    scores = q @ k.transpose(-2, -1)
    if bias is not None:  # float32 under autocast, and so then are the scores
        scores = scores.to(bias.dtype) + bias
    if key_mask is not None:
        scores = scores.masked_fill(~_counting(key_mask)[:, None, None], -torch.inf)
    return scores.softmax(-1)


def _counting(key_mask: Tensor) -> Tensor:
    """Returns which keys count, (batch, keys): all where none would, so that rows stay finite."""
    return key_mask | ~key_mask.any(1, keepdim=True)
