"""Takes tokens to fewer channels for a mechanism, and back, without writing what lies between.

    narrow(x, p) = W (norm(x + p)) + b          norm: a token less its mean, over its deviation
    widen(x, y)  = x + W y, channels first

They are for a mechanism that sees 16 of 64 channels. On a CPU, without autocast, each is one pass
over the tokens in C (`token_widths.c`); elsewhere it is torch's operations, with the same numbers
to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.compiled import Kernel, threads_for

KERNEL = Kernel(
    Path(__file__).with_suffix(".c"),
    sizes=("samples", "tokens", "wide", "narrow", "slices"),
    numbers=("eps",),
    tensors=(
        *("x", "place", "weight", "bias", "y", "moments", "out"),
        *("d_out", "dy", "dx", "d_place", "d_weight", "d_bias"),
    ),
)
SLICES = 8
"""Parts of a batch that threads may share out, whatever their number."""
NARROW, NARROW_BACK, WIDEN, WIDEN_BACK = range(4)
"""What `run` of token_widths.c is asked to do."""
PER_EXPONENTIAL = 8
"""Multiplications that take about as long as an exponential, by which threads are counted."""


def narrow(x: Tensor, place: Tensor, norm: nn.LayerNorm, linear: nn.Linear) -> Tensor:
    """Returns linear(norm(x + place)), (batch, tokens, narrow).

    Args:
        x: (batch, tokens, wide).
        place: (tokens, wide).
        norm: over `wide` channels.
        linear: from `wide` channels to `narrow`.
    """
    channels = (linear.in_features,)
    shapes = [
        (norm.weight, channels),
        (norm.bias, channels),
        (linear.bias, linear.weight.shape[:1]),
    ]
    if not _fits(x, linear.weight, linear.in_features, [(place, x.shape[1:]), *shapes]):
        return linear(norm(x + place))  # type: ignore[no-any-return]
    # A norm's own weight and bias are a part of the layer that reads it.
    weight, bias = linear.weight * norm.weight, linear.bias + linear.weight @ norm.bias
    out: Tensor = _Narrow.apply(x, place, weight, bias, norm.eps)
    return out


def widen(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Returns x plus the linear layer of y, channels first: (batch, wide, tokens).

    Args:
        x: (batch, tokens, wide).
        y: (batch, tokens, narrow).
        weight: of the layer, (wide, narrow).
    """
    if not _fits(x, weight, len(weight), [(y, (*x.shape[:2], *weight.shape[1:]))]):
        return (x + F.linear(y, weight)).transpose(1, 2)
    out: Tensor = _Widen.apply(x, y, weight.t())
    return out


def _fits(
    x: Tensor, weight: Tensor, wide: int, shapes: Sequence[tuple[Tensor | None, Sequence[int]]]
) -> bool:
    """Returns whether the C code may be called on these tensors, here and now.

    What has another shape is left to torch, which broadcasts it or has an error for it.

    Args:
        x: (batch, tokens, wide).
        weight: of the linear layer.
        wide: channels that it has on its wide side.
        shapes: other tensors, and the shapes that they must have.
    """
    others = [tensor for tensor, shape in shapes if tensor is not None and tensor.shape == shape]
    return (
        x.ndim == 3
        and x.shape[2] == wide
        and len(others) == len(shapes)
        and KERNEL.may_take(x, weight, *others)
    )


def _run(what: int, shape: tuple[int, int, int, int], **job: float | Tensor) -> None:
    """Fills in those of the tensors that are results.

    Args:
        what: `NARROW` and so on.
        shape: samples, tokens, wide, narrow.
        job: the rest of the kernel's.
    """
    samples, tokens, wide, few = shape
    threads = threads_for(samples * tokens * wide * few // PER_EXPONENTIAL)
    KERNEL.run(
        what, threads, samples=samples, tokens=tokens, wide=wide, narrow=few, slices=SLICES, **job
    )


class _Narrow(torch.autograd.Function):
    """Computes W (norm(x + place)) + b, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, place: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        x, place, weight, bias = (t.contiguous() for t in (x, place, weight, bias))
        ctx.shape = (*x.shape, len(weight))
        y = x.new_empty(*x.shape[:2], len(weight))
        tensors = {"x": x, "place": place, "weight": weight, "bias": bias, "y": y}
        if any(ctx.needs_input_grad):
            tensors["moments"] = moments = x.new_empty(*x.shape[:2], 2)
            ctx.save_for_backward(x, place, weight, moments)
        _run(NARROW, ctx.shape, eps=eps, **tensors)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, place, weight, moments = ctx.saved_tensors
        dx = torch.empty_like(x)
        d_place, d_weight, d_bias = (
            x.new_zeros(SLICES, *shape) for shape in (place.shape, weight.shape, weight.shape[:1])
        )
        _run(
            NARROW_BACK, ctx.shape, x=x, place=place, weight=weight, moments=moments,
            dy=dy.contiguous(), dx=dx, d_place=d_place, d_weight=d_weight, d_bias=d_bias,
        )  # fmt: skip
        return dx, d_place.sum(0), d_weight.sum(0), d_bias.sum(0), None


class _Widen(torch.autograd.Function):
    """Computes x + Wᵀ y, channels first, and its gradients; W is (narrow, wide)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        x, y, weight = (t.contiguous() for t in (x, y, weight))
        ctx.shape = (*x.shape, len(weight))
        ctx.save_for_backward(y, weight)
        out = x.new_empty(x.shape[0], x.shape[2], x.shape[1])
        _run(WIDEN, ctx.shape, x=x, y=y, weight=weight, out=out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        y, weight = ctx.saved_tensors
        samples, tokens, wide, _ = ctx.shape
        dx, dy = y.new_empty(samples, tokens, wide), torch.empty_like(y)
        d_weight = y.new_zeros(SLICES, *weight.shape)
        _run(
            WIDEN_BACK, ctx.shape, y=y, weight=weight, d_out=d_out.contiguous(),
            dy=dy, dx=dx, d_weight=d_weight,
        )  # fmt: skip
        return dx, dy, d_weight.sum(0)
