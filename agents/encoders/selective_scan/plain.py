"""Computes the selective scan forward and backward in plain torch, for a CPU without a compiler.

Blocks of time small enough to stay in the cache, and one in-place `addcmul_` a step. The state is
kept at the start of each block only; the backward pass runs each block again, from the last to the
first. So a tensor of the size (length, batch, state, channels) never exists.

Tensors are in the order of the steps: u, delta (L, b, 1, g, s), A (n, g, s), B, C (L, b, n, g, 1),
with L steps, b samples, n states, g groups (a route of a head each) of s channels. Channels are
innermost, so that every broadcast and every sum over the state runs along vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1 << 17
"""Elements of state that a block of time holds, in plain torch: 512 KiB in float32, so that the
backward pass's four such buffers fit a 2 MiB second-level cache."""
SHORTEST = 8
"""Steps of time below which a block is cut by batch instead, to spread its fixed cost."""


def _tiles(u: Tensor, A: Tensor) -> tuple[int, list[slice]]:
    """Returns how many steps a block has, and the slices of the batch to run one after another."""
    length, batch, row = u.shape[0], u.shape[1], A.numel()
    wide = max(1, min(batch, BLOCK // (SHORTEST * row)))
    steps = max(1, min(length, BLOCK // (wide * row)))
    return steps, [slice(b, min(b + wide, batch)) for b in range(0, batch, wide)]


class _Workspace:
    """Holds memory (steps, b, n, g, s) that the blocks of time take turns in.

    `rows` holds the view of each step of each buffer, made once: making a view costs as much as
    the arithmetic of a small step.
    """

    def __init__(self, buffers: int, steps: int, u: Tensor, A: Tensor) -> None:
        self.whole = [A.new_empty(steps, u.shape[1], *A.shape) for _ in range(buffers)]
        self.rows = [buffer.unbind(0) for buffer in self.whole]

    def first(self, n: int) -> list[Tensor]:
        """Returns the buffers cut to n steps: the last block is shorter."""
        return [buffer[:n] for buffer in self.whole]

    def recur(self, carry: Tensor, delta: Tensor, du: Tensor, A: Tensor, B: Tensor) -> Tensor:
        """Fills buffer 0 with exp(Δ A) and buffer 1 with the states h; returns the last h."""
        n = len(delta)
        torch.mul(delta, A, out=self.whole[0][:n]).exp_()
        torch.mul(du, B, out=self.whole[1][:n])
        for row, decay in zip(self.rows[1][:n], self.rows[0][:n], strict=True):
            carry = row.addcmul_(decay, carry)
        return carry


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """Returns y (L, b, 1, g, s), and for each slice of the batch the states that blocks start from.

    These are (blocks, b, n, g, s); where `keep` is False, only memory for one.
    """
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


def backward(
    dy: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, starts: list[Tensor]
) -> tuple[Tensor, ...]:
    """Returns the gradients of u, delta, A, B, C, given that of y and the states of `forward`.

    With g_t = ∂/∂h_t, summed over all that h_t leads to,

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
    """Sums over the channels of a group into `out`, as a product with ones.

    The product runs along whole rows however short they are; `sum` over a short last axis
    takes two to four times as long.
    """
    out.copy_(torch.mv(x.view(-1, len(ones)), ones).view(out.shape))
