"""The selective scan of Mamba: a linear recurrence whose gates are read off its own input.

    h_t = exp(Δ_t A) ⊙ h_{t-1} + Δ_t B_t u_t,   h_0 before the first step = 0
    y_t = Σ_n C_t[n] h_t[n] + D u_t

A is discretised by zero-order hold and B by Euler's rule, as in the authors' code
(Gu and Dao 2023, arXiv 2312.00752, section 3.2 and `selective_scan_fn`).

One custom autograd function serves every device; the device chooses its two kernels. On a
CPU they are below: plain torch in blocks of time small enough to stay in the cache, one in-place
`addcmul_` a step. Only the state at the start of each block is kept for the backward pass, which
runs the block again; a tensor of the size (length, batch, state, channels) never exists.
On CUDA they are Triton programs (`selective_scan_cuda.py`), loaded when first needed.

The shortcut `cumsum(b / cumprod(a)) * cumprod(a)` is not used: the running product of decays
leaves float32's range within tens of steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 1 << 17
"""Elements of state that a block of time holds: 512 KiB in float32, so that the backward pass's
four such buffers fit a 2 MiB second-level cache."""
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
    wide = torch.float64 if u.dtype == torch.float64 else torch.float32
    if B.dim() == 3:
        B, C = B.unsqueeze(1), C.unsqueeze(1)
    batch, channels, length = u.shape
    groups, state = B.shape[1], B.shape[2]
    if channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")
    split = (length, batch, 1, groups, channels // groups)
    # Order (time, batch, state, group, channel): channels innermost, so that every broadcast
    # and every sum over the state runs along whole vectors.
    with torch.autocast(device_type=u.device.type, enabled=False):
        y: Tensor = _scan(
            u.to(wide).permute(2, 0, 1).reshape(split),
            delta.to(wide).permute(2, 0, 1).reshape(split),
            A.to(wide).reshape(groups, -1, state).permute(2, 0, 1),
            B.to(wide).permute(3, 0, 2, 1).unsqueeze(-1),
            C.to(wide).permute(3, 0, 2, 1).unsqueeze(-1),
        )
        y = y.reshape(length, batch, channels).permute(1, 2, 0)
        if D is not None:
            y = torch.addcmul(y, u.to(wide), D.to(wide).unsqueeze(-1))
        result: Tensor = y.to(u.dtype)
    return result


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a loop over time is not to be unrolled
def _scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    y: Tensor = _SelectiveScan.apply(u, delta, A.contiguous(), B.contiguous(), C.contiguous())
    return y


class _SelectiveScan(torch.autograd.Function):
    """u, delta (L, b, 1, g, s), A (n, g, s), B, C (L, b, n, g, 1) -> y (L, b, 1, g, s)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
        keep = any(ctx.needs_input_grad)
        if u.is_cuda:
            from agents.encoders import selective_scan_cuda

            y, starts = selective_scan_cuda.forward(u, delta, A, B, C, keep)
        else:
            y, starts = _forward(u, delta, A, B, C, keep)
        if keep:
            ctx.save_for_backward(u, delta, A, B, C, *starts)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, ...]:
        u, delta, A, B, C, *starts = ctx.saved_tensors
        with torch.autocast(device_type=u.device.type, enabled=False):
            if u.is_cuda:
                from agents.encoders import selective_scan_cuda

                return selective_scan_cuda.backward(dy, u, delta, A, B, C, starts)
            return _backward(dy, u, delta, A, B, C, starts)


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
        given = [x[:, b].split(steps) for x in (dy, delta, du, B, C)]
        wanted = [x[:, b].split(steps) for x in (d_du, d_delta, dB, dC)]
        tail = torch.zeros_like(saved[0])  # exp(Δ A) ⊙ g of the step after the block
        blocks = list(zip(saved, *given, *wanted, strict=True))
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
