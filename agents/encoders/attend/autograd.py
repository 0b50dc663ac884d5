"""Softmax attention, with a bias for each pair and masks for either side.

    out_i = Σ_j softmax_j(q_i · k_j / √d + b_ij) v_j

Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1.

On a CPU, without autocast, it is C that keeps no weights in memory (`native.py`). For 256 samples
of 67 tokens, forward and backward on one core, torch's own kernels took three times as long with
heads of four channels, and as long with heads of sixteen. Elsewhere, and in a program that torch
compiles, exports or counts, it is torch's operations (`plain.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.encoders.attend import native, plain
from agents.encoders.attend.native import Terms
from agents.encoders.compiled import may_call


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None = None,
    key_mask: Tensor | None = None,
    query_mask: Tensor | None = None,
) -> Tensor:
    """Returns what each query gathers, (batch, queries, heads, size).

    Args:
        q: queries (batch, queries, heads, size), as a linear layer gives them.
        k: keys (batch, keys, heads, size).
        v: values, as the keys.
        bias: (heads, queries, keys), added to the scores.
        key_mask: (batch or 1, keys) bool, which keys count; None for all. Where none does, the
            result is 0.
        query_mask: (batch or 1, queries) bool, which queries count; None for all. Others get 0.

    What stands in rows that don't count changes nothing. Differentiable in q, k, v and bias; once,
    and not for batches of gradients, where C computes it.
    """
    reals = [x for x in (q, k, v, bias) if x is not None]
    if may_call(*reals) and native.library(q.dtype) is not None:
        masks = [
            None if mask is None else mask.expand(len(q), -1) for mask in (key_mask, query_mask)
        ]
        terms = Terms(q, k, v, bias, *masks)
        if _fits(terms):
            out: Tensor = _Attend.apply(*terms)
            return out
    return plain.attend(q, k, v, bias, key_mask, query_mask)


def _fits(terms: Terms) -> bool:
    """Returns whether these have the shapes that the C kernel reads, and masks are masks here.

    What would be broadcast is left to torch, as is what torch has an error for.
    """
    q, k, v, bias, key_mask, query_mask = terms
    if q.ndim != 4 or k.ndim != 4 or not q.shape[3]:
        return False
    batch, queries, heads, size = q.shape
    keys = k.shape[1]
    shapes: list[tuple[Tensor, tuple[int, ...]]] = [(x, (batch, keys, heads, size)) for x in (k, v)]
    shapes += [] if bias is None else [(bias, (heads, queries, keys))]
    masks = [] if key_mask is None else [(key_mask, (batch, keys))]
    masks += [] if query_mask is None else [(query_mask, (batch, queries))]
    return (
        keys <= native.MOST_KEYS
        and all(x.shape == shape for x, shape in (*shapes, *masks))
        and all(m.dtype == torch.bool and m.is_cpu and type(m) is Tensor for m, _ in masks)
    )


class _Attend(torch.autograd.Function):
    """Computes `attend` in C, and its gradients."""

    @staticmethod
    def forward(ctx: Any, *of: Any) -> Tensor:
        for_backward = any(ctx.needs_input_grad)
        out, normalisers = native.forward(Terms(*of), for_backward)
        if for_backward:
            ctx.save_for_backward(*of, out, normalisers)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        *of, out, normalisers = ctx.saved_tensors
        gradients = native.backward(d_out, Terms(*of), out, normalisers, ctx.needs_input_grad[3])
        return (*gradients, None, None)
