"""The selective scan of Mamba: a linear recurrence whose gates are read off its own input.

    h_t = exp(Δ_t A) ⊙ h_{t-1} + Δ_t B_t u_t,   h_0 before the first step = 0
    y_t = Σ_n C_t[n] h_t[n] + D u_t

A is discretised by zero-order hold and B by Euler's rule, as in the authors' code
(Gu and Dao 2023, arXiv 2312.00752, section 3.2 and `selective_scan_fn`).

One custom autograd function serves every device; the device chooses its two kernels. On a CPU
they are C, compiled when first needed (`native.py`), or, where there is no compiler, plain torch
(`plain.py`). On CUDA they are Triton programs (`cuda.py`), loaded when first needed. All keep the
state only at the start of each block of time for the backward pass, which runs the block again.
A program that `torch.export` writes holds torch's own operations instead (`doubling.py`).

`selective_scan` is Mamba's; `scan_map` walks the cells of a map along several routes at once, the
routes of a head reading the same features.

The shortcut `cumsum(b / cumprod(a)) * cumprod(a)` is not used: the running product of decays
leaves float32's range within tens of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from agents.encoders.selective_scan import doubling, native, plain


def selective_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None
) -> Tensor:
    """Returns y (batch, channels, length), the scan of `u` from the first position to the last.

    Args:
        u: input (batch, channels, length).
        delta: step sizes Δ ≥ 0, the same shape. Where Δ = 0 the state is carried on unchanged,
            which is how a padded position is skipped.
        A: (channels, state), negative.
        B: input gates (batch, groups, state, length), or (batch, state, length) for one group.
            Channels are divided into groups in order, each group sharing its gates.
        C: output gates, the same shape as B.
        D: skip weights (channels,), or None for no skip.

    It has u's type and is computed in float64 if `u` is float64, else in float32, autocast or not.
    Any strides will do; memory in the order (length, batch, channels) is read without a copy and is
    the order of the result. Differentiable once in all of its arguments.

    Raises:
        ValueError: the channels do not divide into the groups.
    """
    if B.dim() == 3:
        B, C = B.unsqueeze(1), C.unsqueeze(1)
    channels, groups, state = u.shape[1], B.shape[1], B.shape[2]
    if channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")
    steps = (x.unflatten(1, (groups, -1)).permute(0, 3, 1, 2) for x in (u, delta))
    gates = (x.permute(0, 3, 1, 2).unsqueeze(3) for x in (B, C))
    u_t, delta_t = steps
    y = scan_map(u_t, delta_t.unsqueeze(3), A.reshape(groups, 1, -1, state), *gates)
    y = y.squeeze(3).flatten(2).transpose(1, 2)
    if D is not None:
        y = torch.addcmul(y, u.to(y.dtype), D.to(y.dtype).unsqueeze(-1))
    return y.to(u.dtype)


def scan_map(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    order: Tensor | None = None,
    back: Tensor | None = None,
) -> Tensor:
    """Returns y (batch, cells, heads, K, size), the scan of each head's cells along its K routes.

    Everything is in the order of the map, arguments and result.

    Args:
        u: (batch, cells, heads, size), what all routes of a head read.
        delta: step sizes (batch, cells, heads, K, size).
        A: (heads, K, size, state), negative.
        B: input gates (batch, cells, heads, K, state).
        C: output gates (batch, cells, heads, K, state).
        order: (heads, K, cells) int64, the cell that a route visits at each step; None for
            one after another.
        back: its inverse, `order.argsort(-1)`; needed with `order`.

    Computed and returned in float64 if `u` is float64, else in float32, autocast or not. Any
    strides will do. Differentiable once in u, delta, A, B and C.
    """
    wide = torch.float64 if u.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=u.device.type, enabled=False):
        u, delta, A, B, C = (x.to(wide) for x in (u, delta, A, B, C))
        if torch.compiler.is_exporting():
            return doubling.scan_map(u, delta, A, B, C, order, back)
        y: Tensor = _scan(u, delta, A, B, C, order, back)
    return y


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a loop over time is not to be unrolled
def _scan(*args: Tensor | None) -> Tensor:
    y: Tensor = _SelectiveScan.apply(*args)
    return y


class _SelectiveScan(torch.autograd.Function):
    """Computes `scan_map` of tensors of one type, and its gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        order: Tensor | None,
        back: Tensor | None,
    ) -> Tensor:
        keep = any(ctx.needs_input_grad)
        ctx.native = u.device.type == "cpu" and native.library(u.dtype) is not None
        if ctx.native:
            y, starts = native.forward(u, delta, A, B, C, order, keep)
            saved = [starts]
        else:
            walked = _walk(u, delta, A, B, C, order)
            steps, saved = _kernels(u).forward(*walked, keep)
            y = _to_map(steps, delta.shape[2:4], back)
        if keep:
            ctx.save_for_backward(u, delta, A, B, C, order, back, *saved)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        u, delta, A, B, C, order, back, *saved = ctx.saved_tensors
        with torch.autocast(device_type=u.device.type, enabled=False):
            if ctx.native:
                grads = native.backward(dy, u, delta, A, B, C, order, saved[0])
                return *grads, None, None
            walked = _walk(u, delta, A, B, C, order)
            steps = _in_steps(dy, order).unsqueeze(2)
            grads = _kernels(u).backward(steps, *walked, saved)
        heads_routes = delta.shape[2:4]
        du, d_delta, dB, dC = (
            _to_map(x, heads_routes, back)
            for x in (grads[0], grads[1], *(x.transpose(2, 4) for x in grads[3:]))
        )
        return du.sum(3), d_delta, grads[2].permute(1, 2, 0).view_as(A), dB, dC, None, None


def _kernels(u: Tensor) -> Any:
    """Returns the module of `forward` and `backward` for the device of u; shapes: see `plain`."""
    if u.is_cuda:
        from agents.encoders.selective_scan import cuda

        return cuda
    return plain


def _walk(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, order: Tensor | None
) -> tuple[Tensor, ...]:
    """Returns a map's tensors in the order of the steps, shaped as `plain` takes them."""
    u, delta = (_in_steps(x, order).unsqueeze(2) for x in (u.unsqueeze(3).expand_as(delta), delta))
    B, C = (_in_steps(x, order).transpose(2, 3).unsqueeze(-1).contiguous() for x in (B, C))
    return u, delta, A.flatten(0, 1).permute(2, 0, 1).contiguous(), B, C


def _in_steps(x: Tensor, order: Tensor | None) -> Tensor:
    """Turns (batch, cells, heads, K, d) in map order into (L, batch, groups, d) in steps."""
    x = x.transpose(0, 1).flatten(2, 3)
    return x.contiguous() if order is None else _permuted(x, order)


def _to_map(x: Tensor, heads_routes: Sequence[int], back: Tensor | None) -> Tensor:
    """Turns (L, batch, 1, groups, d) in steps into (batch, cells, heads, K, d) in map order."""
    x = x.squeeze(2)
    x = x if back is None else _permuted(x, back)
    return x.view(*x.shape[:2], *heads_routes, -1).transpose(0, 1)


def _permuted(x: Tensor, index: Tensor) -> Tensor:
    """Returns x (L, batch, groups, d) with the steps of each group in the order of `index`.

    A gather both ways: indexing's own gradient would scatter, on CUDA by atomics in no fixed order.

    Args:
        x: (L, batch, groups, d).
        index: (heads, K, L) int64, which step comes at each place; heads * K are the groups.
    """
    length, batch, groups, _ = x.shape
    at = index.flatten(0, 1).t().unsqueeze(1)  # (L, 1, groups)
    sample = torch.arange(batch, device=x.device).unsqueeze(1)
    rows = (at * batch + sample) * groups + torch.arange(groups, device=x.device)
    permuted = torch.index_select(x.reshape(-1, x.shape[-1]), 0, rows.flatten())
    return permuted.view(length, batch, groups, x.shape[-1])
