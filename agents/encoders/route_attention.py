"""Scan route attention: a cell's results along four routes become one, gated by how they differ.

    cv = std_k(y_k) / (mean_k(y_k - min_k y_k) + ε),   z = (Σ_k y_k) · σ(cv - t)

with the unbiased standard deviation over the routes k, for every cell and channel; σ and ε are told
in `scan.py`. Each y_k is what a route's scan gives, s_k, plus D_k times the cell's own features.

Source: Ji 2024, arXiv 2406.05992, section 3.3, and its code (the gated fusion unit).

On a CPU, without autocast, it is one pass over the cells in C (`route_attention.c`): of 256 maps of
64 cells, forward and backward on one thread, 1.7 ms where torch's operations took 26. Elsewhere it
is those.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.encoders.compiled import Kernel, threads_for

Fusion = Literal["cv-relu", "sigmoid"]

KERNEL = Kernel(
    Path(__file__).with_suffix(".c"),
    sizes=("cells", "width", "slices", "sigmoid"),
    numbers=("threshold",),
    tensors=(
        *("y", "parts", "own", "common", "out"),
        *("d_out", "dy", "d_parts", "d_own", "d_common"),
    ),
    headers=("exponential.h",),
)
ROUTES = 4
SLICES = 8
"""Parts of the cells that threads may share out, whatever their number."""


def fuse(s: Tensor, parts: Tensor, skip: Tensor, fusion: Fusion, threshold: float) -> Tensor:
    """Returns z (batch, cells, heads, size).

    Args:
        s: what the scans give, (batch, cells, heads, K, size), float32 or float64.
        parts: the cells' own features (batch, cells, heads, size), of the same type.
        skip: D (heads, K, size).
        fusion: which σ and ε.
        threshold: t.
    """
    if _fits(s, parts, skip):
        common, own = _shared_and_own(skip)
        routes_first = (s.movedim(3, 0), parts, own.movedim(1, 0), common)
        out: Tensor = _Fuse.apply(*routes_first, fusion, threshold)
        return out
    routes, shared = apart(s, parts, skip)
    mean = mean_of(routes)
    return len(routes) * (mean + shared) * gate(routes, mean, shared, fusion, threshold)


def apart(s: Tensor, parts: Tensor, skip: Tensor) -> tuple[list[Tensor], Tensor]:
    """Returns each route's result, less what all share, and what they share.

    The first are K of (batch, cells, heads, size), since elementwise work on one tensor of all,
    with an axis of K before one of few channels, takes twice as long. The second, of the same
    shape, is the mean of D_k times the cell's own features. It is most of y at the start, when the
    steps Δ are small, and cv is blind to it, so leaving it in would only cost cv its digits: an
    error of 1e-3 in float32.
    """
    common, own = _shared_and_own(skip)
    routes = zip(s.unbind(3), own.unbind(1), strict=True)
    return [route + weight * parts for route, weight in routes], common * parts


def _shared_and_own(skip: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean of D over the routes (heads, size), and D less it (heads, K, size)."""
    common = skip.mean(1)
    return common, skip - common.unsqueeze(1)


def gate(
    routes: Sequence[Tensor], mean: Tensor, shared: Tensor, fusion: Fusion, threshold: float
) -> Tensor:
    """Returns σ(cv - t), (batch, cells, heads, size).

    Args:
        routes: results, as `apart` returns them.
        mean: of these.
        shared: as `apart` returns it.
        fusion: which σ and ε.
        threshold: t.
    """
    squares = functools.reduce(torch.add, ((route - mean).square() for route in routes))
    variance = squares / (len(routes) - 1)
    differ = variance > 0
    # The root's slope at 0 is infinite: where all routes agree the gate is given none.
    std = torch.where(differ, variance, 1.0).sqrt() * differ
    spread = mean - functools.reduce(torch.minimum, routes)
    if fusion == "cv-relu":
        return F.relu(std / (spread + 1e-5) - threshold)
    # The mean of the squares of y + shared, by its variance and its mean.
    squares = squares / len(routes) + (mean + shared).square()
    floor = 1e-5 + 1e-2 * (squares + 1e-12).sqrt()
    return torch.sigmoid(std / (spread + floor) - threshold)


def mean_of(routes: Sequence[Tensor]) -> Tensor:
    """Returns the mean of tensors of one shape."""
    return functools.reduce(torch.add, routes) / len(routes)


def _fits(s: Tensor, parts: Tensor, skip: Tensor) -> bool:
    """Returns whether the C code may be called on these, here and now."""
    return (
        KERNEL.may_take(s, parts, skip)
        and skip.ndim == 3
        and skip.shape[1] == ROUTES
        and s.shape == (*parts.shape[:2], *skip.shape)
        and parts.shape[2:] == (skip.shape[0], skip.shape[2])
    )


def _run(back: bool, settings: tuple[Fusion, float], parts: Tensor, **tensors: Tensor) -> None:
    """Fills in those of the tensors that are results.

    Args:
        back: compute gradients.
        settings: σ and t.
        parts: (batch, cells, heads, size).
        tensors: the other ones of the kernel's job.
    """
    fusion, threshold = settings
    KERNEL.run(
        int(back),
        threads_for(parts.numel()),
        cells=parts.shape[0] * parts.shape[1],
        width=parts.shape[2] * parts.shape[3],
        slices=SLICES,
        sigmoid=fusion == "sigmoid",
        threshold=threshold,
        parts=parts,
        **tensors,
    )


class _Fuse(torch.autograd.Function):
    """Computes z and its gradients; takes routes first, s (K, batch, cells, heads, size)."""

    @staticmethod
    def forward(
        ctx: Any,
        s: Tensor,
        parts: Tensor,
        own: Tensor,
        common: Tensor,
        fusion: Fusion,
        threshold: float,
    ) -> Tensor:
        s, parts, own, common = (x.contiguous() for x in (s, parts, own, common))
        ctx.settings = (fusion, threshold)
        ctx.save_for_backward(s, parts, own, common)
        out = torch.empty_like(parts)
        _run(False, ctx.settings, y=s, parts=parts, own=own, common=common, out=out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        s, parts, own, common = ctx.saved_tensors
        ds, d_parts = torch.empty_like(s), torch.empty_like(parts)
        d_own, d_common = (s.new_zeros(SLICES, *x.shape) for x in (own, common))
        _run(
            True, ctx.settings, y=s, parts=parts, own=own, common=common,
            d_out=d_out.contiguous(), dy=ds, d_parts=d_parts, d_own=d_own, d_common=d_common,
        )  # fmt: skip
        return ds, d_parts, d_own.sum(0), d_common.sum(0), None, None
