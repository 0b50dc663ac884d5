"""The selective scan of Mamba: a linear recurrence whose gates are read off its own input.

    h_t = exp(Δ_t A) ⊙ h_{t-1} + Δ_t B_t u_t,   h_0 before the first step = 0
    y_t = Σ_n C_t[n] h_t[n] + D u_t

A is discretised by zero-order hold and B by Euler's rule, as in the authors' code
(Gu and Dao 2023, arXiv 2312.00752, section 3.2 and `selective_scan_fn`).

One custom autograd function serves every device; the device chooses its two kernels. On a CPU
they are C, compiled when first needed (`selective_scan_native.py`), or, where there is no compiler,
the plain torch below: blocks of time small enough to stay in the cache, one in-place `addcmul_` a
step. On CUDA they are Triton programs (`selective_scan_cuda.py`), loaded when first needed. All
keep the state only at the start of each block of time for the backward pass, which runs the block
again; a tensor of the size (length, batch, state, channels) never exists.

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

from agents.encoders import selective_scan_native

BLOCK = 1 << 17
"""Elements of state that a block of time holds, in plain torch: 512 KiB in float32, so that the
backward pass's four such buffers fit a 2 MiB second-level cache."""
SHORTEST = 8
"""Steps of time below which a block is cut by batch instead, to spread its fixed cost."""


def selective_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None
) -> Tensor:
    """Scan `u` (batch, channels, length) from the first position to the last.

    Args:
        u: input (batch, channels, length).
        delta: step sizes Δ ≥ 0, the same shape. Where Δ = 0 the state is carried on unchanged,
            which is how a padded position is skipped.
        A: (channels, state), negative.
        B: input gates (batch, groups, state, length), or (batch, state, length) for one group.
            Channels are divided into groups in order, each group sharing its gates.
        C: output gates, the same shape as B.
        D: skip weights (channels,), or None for no skip.

    Returns:
        y of u's shape and type. Computed in float64 if `u` is float64, else in float32,
        autocast or not. Any strides will do; memory in the order (length, batch, channels) is
        read without a copy and is the order of the result.

    Differentiable once in all of its arguments.
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
    """Scan the cells of a map, each head along K routes: y (batch, cells, heads, K, size).

    Everything is in the order of the map, what comes in and what goes out.

    Args:
        u: (batch, cells, heads, size), what all routes of a head read.
        delta: (batch, cells, heads, K, size). A: (heads, K, size, state).
        B, C: (batch, cells, heads, K, state).
        order: (heads, K, cells) int64, the cell that a route visits at each step; None for
            one after another.
        back: its inverse, `order.argsort(-1)`; needed with `order`.

    Computed, and given, in float64 if `u` is float64, else in float32, autocast or not. Any strides
    will do. Differentiable once in u, delta, A, B and C.
    """
    wide = torch.float64 if u.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=u.device.type, enabled=False):
        y: Tensor = _scan(*(x.to(wide) for x in (u, delta, A, B, C)), order, back)
    return y


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a loop over time is not to be unrolled
def _scan(*args: Tensor | None) -> Tensor:
    y: Tensor = _SelectiveScan.apply(*args)
    return y


class _SelectiveScan(torch.autograd.Function):
    """`scan_map` of tensors of one type."""

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
        ctx.native = u.device.type == "cpu" and selective_scan_native.library(u.dtype) is not None
        if ctx.native:
            y, starts = selective_scan_native.forward(u, delta, A, B, C, order, keep)
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
                grads = selective_scan_native.backward(dy, u, delta, A, B, C, order, saved[0])
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
    """`forward` and `backward` on steps.

    u, delta (L, b, 1, g, s), A (n, g, s), B, C (L, b, n, g, 1). A group is a route of a head.
    Channels innermost, so that every broadcast and every sum over the state runs along vectors.
    """
    if u.is_cuda:
        from agents.encoders import selective_scan_cuda

        return selective_scan_cuda
    return _Torch


def _walk(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, order: Tensor | None
) -> tuple[Tensor, ...]:
    """A map's tensors as `_kernels` take them, in the order of the steps."""
    u, delta = (_in_steps(x, order).unsqueeze(2) for x in (u.unsqueeze(3).expand_as(delta), delta))
    B, C = (_in_steps(x, order).transpose(2, 3).unsqueeze(-1).contiguous() for x in (B, C))
    return u, delta, A.flatten(0, 1).permute(2, 0, 1).contiguous(), B, C


def _in_steps(x: Tensor, order: Tensor | None) -> Tensor:
    """(batch, cells, heads, K, d) in map order as (L, batch, groups, d) in steps, contiguous."""
    x = x.transpose(0, 1).flatten(2, 3)
    return x.contiguous() if order is None else _permuted(x, order)


def _to_map(x: Tensor, heads_routes: Sequence[int], back: Tensor | None) -> Tensor:
    """(L, batch, 1, groups, d) in steps as (batch, cells, heads, K, d) in map order."""
    x = x.squeeze(2)
    x = x if back is None else _permuted(x, back)
    return x.view(*x.shape[:2], *heads_routes, -1).transpose(0, 1)


def _permuted(x: Tensor, index: Tensor) -> Tensor:
    """x (L, batch, groups, d) with each group's steps in its own order, (heads, K, L).

    A gather both ways: indexing's own gradient would scatter, on CUDA by atomics in no fixed order.
    """
    length, batch, groups, _ = x.shape
    at = index.flatten(0, 1).t().unsqueeze(1)  # (L, 1, groups)
    sample = torch.arange(batch, device=x.device).unsqueeze(1)
    rows = (at * batch + sample) * groups + torch.arange(groups, device=x.device)
    permuted = torch.index_select(x.reshape(-1, x.shape[-1]), 0, rows.flatten())
    return permuted.view(length, batch, groups, x.shape[-1])


def _tiles(u: Tensor, A: Tensor) -> tuple[int, list[slice]]:
    """How many steps a block has, and the slices of the batch that are run one after another."""
    length, batch, row = u.shape[0], u.shape[1], A.numel()
    wide = max(1, min(batch, BLOCK // (SHORTEST * row)))
    steps = max(1, min(length, BLOCK // (wide * row)))
    return steps, [slice(b, min(b + wide, batch)) for b in range(0, batch, wide)]


class _Workspace:
    """Memory (steps, b, n, g, s) that the blocks of time take turns in.

    `rows` holds the view of each step of each buffer, made once: making a view costs as much as
    the arithmetic of a small step.
    """

    def __init__(self, buffers: int, steps: int, u: Tensor, A: Tensor) -> None:
        self.whole = [A.new_empty(steps, u.shape[1], *A.shape) for _ in range(buffers)]
        self.rows = [buffer.unbind(0) for buffer in self.whole]

    def first(self, n: int) -> list[Tensor]:
        """The buffers cut to n steps: the last block is shorter."""
        return [buffer[:n] for buffer in self.whole]

    def recur(self, carry: Tensor, delta: Tensor, du: Tensor, A: Tensor, B: Tensor) -> Tensor:
        """Fill buffer 0 with exp(Δ A) and buffer 1 with the states h; the last h."""
        n = len(delta)
        torch.mul(delta, A, out=self.whole[0][:n]).exp_()
        torch.mul(du, B, out=self.whole[1][:n])
        for row, decay in zip(self.rows[1][:n], self.rows[0][:n], strict=True):
            carry = row.addcmul_(decay, carry)
        return carry


def _forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """y, and for each slice of the batch the states (blocks, b, n, g, s) that blocks start from."""
    steps, slices = _tiles(u, A)
    y, starts = torch.empty_like(u), []
    du = delta * u
    for b in slices:
        work = _Workspace(2, steps, u[:, b], A)
        blocks = list(zip(*(x[:, b].split(steps) for x in (delta, du, B, C, y)), strict=True))
        saved = A.new_empty(len(blocks) if keep else 1, *work.whole[0].shape[1:])
        carry = saved[0].zero_()
        for i, (delta_t, du_t, B_t, C_t, y_t) in enumerate(blocks):
            if i:
                carry = saved[i if keep else 0].copy_(carry)
            carry = work.recur(carry, delta_t, du_t, A, B_t)
            spare, states = work.first(len(y_t))
            torch.sum(torch.mul(states, C_t, out=spare), 2, keepdim=True, out=y_t)
        starts.append(saved)
    return y, starts


def _backward(
    dy: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, starts: list[Tensor]
) -> tuple[Tensor, ...]:
    """Gradients of u, delta, A, B, C. With g_t = ∂/∂h_t, summed over what h_t goes on to,

    g_t = C_t dy_t + exp(Δ_{t+1} A) ⊙ g_{t+1},   ∂/∂(Δ_t A) = g_t ⊙ h_{t-1} ⊙ exp(Δ_t A),
    ∂/∂B_t = Σ_s g_t Δ_t u_t,   ∂/∂(Δ_t u_t) = Σ_n g_t B_t,   ∂/∂C_t = Σ_s h_t dy_t.
    """
    steps, slices = _tiles(u, A)
    du, d_du, d_delta = delta * u, torch.empty_like(u), torch.empty_like(delta)
    dA, dB, dC = torch.zeros_like(A), torch.empty_like(B), torch.empty_like(C)
    ones = u.new_ones(u.shape[-1])
    for b, saved in zip(slices, starts, strict=True):
        work = _Workspace(4, steps, u[:, b], A)
        decays, _, grads, _ = work.rows
        inputs = [x[:, b].split(steps) for x in (dy, delta, du, B, C)]
        outputs = [x[:, b].split(steps) for x in (d_du, d_delta, dB, dC)]
        tail = torch.zeros_like(saved[0])  # exp(Δ A) ⊙ g of the step after the block
        blocks = list(zip(saved, *inputs, *outputs, strict=True))
        for start, dy_t, delta_t, du_t, B_t, C_t, d_du_t, d_delta_t, dB_t, dC_t in blocks[::-1]:
            n = len(dy_t)
            work.recur(start, delta_t, du_t, A, B_t)
            decay, states, grad, spare = work.first(n)
            torch.mul(dy_t, C_t, out=grad)
            after = grads[n - 1].add_(tail)
            for t in range(n - 2, -1, -1):
                after = grads[t].addcmul_(decays[t + 1], after)
            torch.mul(decays[0], after, out=tail)

            _over_channels(torch.mul(states, dy_t, out=spare), ones, dC_t)
            _over_channels(torch.mul(grad, du_t, out=spare), ones, dB_t)
            torch.sum(torch.mul(grad, B_t, out=spare), 2, keepdim=True, out=d_du_t)
            grad.mul_(decay)
            grad[1:].mul_(states[:-1])
            grad[0].mul_(start)
            torch.sum(torch.mul(grad, A, out=spare), 2, keepdim=True, out=d_delta_t)
            dA += torch.mul(grad, delta_t, out=spare).sum((0, 1))
    d_delta.addcmul_(d_du, u)
    return d_du.mul_(delta), d_delta, dA, dB, dC


def _over_channels(x: Tensor, ones: Tensor, out: Tensor) -> None:
    """Sum over the channels of a group, as a product with ones.

    The product runs along whole rows however short they are; `sum` over a short last axis
    takes two to four times as long.
    """
    out.copy_(torch.mv(x.view(-1, len(ones)), ones).view(out.shape))


class _Torch:
    """The plain kernels, as `_kernels` gives them."""

    forward = staticmethod(_forward)
    backward = staticmethod(_backward)
