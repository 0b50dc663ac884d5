"""Computes the selective scan forward and backward on CUDA, in Triton; import it where that is.

One program runs one sample and one block of channels of one group through time, the state
(channels, state) in registers, so the device's memory is read and written once: this is bound by
those bytes and by the chain of `length` dependent steps, not by arithmetic. The forward pass keeps
the state once every STEPS steps. The backward pass goes over those spans from the last to the
first, running each forward again into a scratch of STEPS states, then back through it.

Sums that cross programs (over the batch for A, over the blocks of channels for B and C) are
written apart and added by torch afterwards: no atomics, so two runs agree bit for bit.

Same arguments and results as `forward` and `backward` of `plain.py`, except that
`starts` is one tensor and is laid out as the kernels like it.

They have run in Triton's interpreter alone (3.7.1, which goes with torch 2.13; in
tests/agents/encoders/selective_scan/test_cuda.py), which shows that their numbers are right, and
Triton compiles them for devices of capability 8.0 and 9.0. On one they have neither been run nor
timed: `calm bench gpu --part encoders` does both, and the same tests run there.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

STEPS = 16
"""Steps between kept states: what is kept and what is scratch then cost about the same memory."""
WIDEST = 32
"""Channels in one program, at most: 32 x 16 states are 16 registers in each lane of one warp."""


@triton.jit  # type: ignore[untyped-decorator]
def _forward_kernel(  # type: ignore[no-untyped-def]
    u, delta, A, B, C, y, starts, length, channels, state,
    STEPS: tl.constexpr, KEEP: tl.constexpr, S: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    lanes = tl.num_programs(0).to(tl.int64) * tl.num_programs(1)
    lane = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)  # sample and group
    s, n = tl.program_id(2) * S + tl.arange(0, S), tl.arange(0, N)
    has_s, has_n = s < channels, n < state
    has = has_s[:, None] & has_n[None, :]
    tile = s[:, None] * state + n[None, :]
    rate = tl.load(A + tl.program_id(1) * channels * state + tile, mask=has, other=0.0)
    h = tl.zeros_like(rate)
    at_h = lane.to(tl.int64) * channels * state + tile
    at_s, at_n = lane.to(tl.int64) * channels + s, lane.to(tl.int64) * state + n
    for t in range(length):
        if KEEP:  # noqa: SIM102 - decided when compiled; the one within, when run
            if t % STEPS == 0:
                tl.store(starts + at_h, h, mask=has)
                at_h += lanes * channels * state
        step = tl.load(delta + at_s, mask=has_s, other=0.0)
        x = tl.load(u + at_s, mask=has_s, other=0.0)
        b = tl.load(B + at_n, mask=has_n, other=0.0)
        c = tl.load(C + at_n, mask=has_n, other=0.0)
        h = tl.exp(step[:, None] * rate) * h + (step * x)[:, None] * b[None, :]
        tl.store(y + at_s, tl.sum(h * c[None, :], axis=1), mask=has_s)
        at_s += lanes * channels
        at_n += lanes * state


@triton.jit  # type: ignore[untyped-decorator]
def _backward_kernel(  # type: ignore[no-untyped-def]
    dy, u, delta, A, B, C, starts, scratch, du, d_delta, dA, dB, dC,
    length, channels, state,
    STEPS: tl.constexpr, S: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    lanes = tl.num_programs(0).to(tl.int64) * tl.num_programs(1)
    lane = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    s, n = tl.program_id(2) * S + tl.arange(0, S), tl.arange(0, N)
    has_s, has_n = s < channels, n < state
    has = has_s[:, None] & has_n[None, :]
    tile = s[:, None] * state + n[None, :]
    rate = tl.load(A + tl.program_id(1) * channels * state + tile, mask=has, other=0.0)
    at_h = lane.to(tl.int64) * channels * state + tile
    program = lane.to(tl.int64) * tl.num_programs(2) + tl.program_id(2)
    scratch += program * STEPS * S * N + tl.arange(0, S)[:, None] * N + n[None, :]
    # Each block of channels has its own sums of B's and C's gradients.
    blocks_before = tl.program_id(2) * length * lanes * state
    rate_grad, tail = tl.zeros_like(rate), tl.zeros_like(rate)
    spans = tl.cdiv(length, STEPS)
    for i in range(spans):
        span = spans - 1 - i
        h = tl.load(starts + span * lanes * channels * state + at_h, mask=has, other=0.0)
        for k in range(STEPS):
            t = span * STEPS + k
            inside_s = s < tl.where(t < length, channels, 0)
            inside_n = n < tl.where(t < length, state, 0)
            at_s = (t * lanes + lane) * channels + s
            at_n = (t * lanes + lane) * state + n
            step = tl.load(delta + at_s, mask=inside_s, other=0.0)
            x = tl.load(u + at_s, mask=inside_s, other=0.0)
            b = tl.load(B + at_n, mask=inside_n, other=0.0)
            tl.store(scratch + k * S * N, h)
            h = tl.exp(step[:, None] * rate) * h + (step * x)[:, None] * b[None, :]
        tl.debug_barrier()  # a thread may read back what another wrote
        for j in range(STEPS):
            k = STEPS - 1 - j
            t = span * STEPS + k
            # Past the end everything loaded is 0: no gradient arises, and none is stored.
            inside_s = s < tl.where(t < length, channels, 0)
            inside_n = n < tl.where(t < length, state, 0)
            at_s = (t * lanes + lane) * channels + s
            at_n = (t * lanes + lane) * state + n
            step = tl.load(delta + at_s, mask=inside_s, other=0.0)
            x = tl.load(u + at_s, mask=inside_s, other=0.0)
            out = tl.load(dy + at_s, mask=inside_s, other=0.0)
            b = tl.load(B + at_n, mask=inside_n, other=0.0)
            c = tl.load(C + at_n, mask=inside_n, other=0.0)
            before = tl.load(scratch + k * S * N)
            decay = tl.exp(step[:, None] * rate)
            h = decay * before + (step * x)[:, None] * b[None, :]
            grad = out[:, None] * c[None, :] + tail
            tail = decay * grad
            exponent_grad = tail * before  # of Δ A
            rate_grad += exponent_grad * step[:, None]
            input_grad = tl.sum(grad * b[None, :], axis=1)  # of Δ u
            step_grad = tl.sum(exponent_grad * rate, axis=1) + input_grad * x
            tl.store(du + at_s, input_grad * step, mask=inside_s)
            tl.store(d_delta + at_s, step_grad, mask=inside_s)
            at_n += blocks_before
            tl.store(dB + at_n, tl.sum(grad * (step * x)[:, None], axis=0), mask=inside_n)
            tl.store(dC + at_n, tl.sum(h * out[:, None], axis=0), mask=inside_n)
        tl.debug_barrier()  # the next span writes over the scratch
    tl.store(dA + at_h, rate_grad, mask=has)


def forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    """Returns y (L, b, 1, g, s), and in a list the states (spans, b, g, s, n) for `backward`.

    No state is kept where `keep` is False. Arguments as `plain.forward`.
    """
    (length, batch, _, groups, channels), state = u.shape, A.shape[0]
    u, delta, A, B, C = _laid_out(u, delta, A, B, C)
    spans = triton.cdiv(length, STEPS) if keep else 0
    y, starts = torch.empty_like(u), u.new_empty(spans, batch, groups, channels, state)
    S, N = min(triton.next_power_of_2(channels), WIDEST), triton.next_power_of_2(state)
    _forward_kernel[(batch, groups, triton.cdiv(channels, S))](
        u, delta, A, B, C, y, starts, length, channels, state,
        STEPS=STEPS, KEEP=keep, S=S, N=N, num_warps=1,
    )  # fmt: skip
    return y, [starts]


def backward(
    dy: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, starts: list[Tensor]
) -> tuple[Tensor, ...]:
    """Returns the gradients of u, delta, A, B, C, each in its own shape; see `plain.backward`."""
    (length, batch, _, groups, channels), state = u.shape, A.shape[0]
    u, delta, A, B, C = _laid_out(u, delta, A, B, C)
    S, N = min(triton.next_power_of_2(channels), WIDEST), triton.next_power_of_2(state)
    grid = (batch, groups, triton.cdiv(channels, S))
    scratch = u.new_empty(*grid, STEPS, S, N)
    du, d_delta, dA = torch.empty_like(u), torch.empty_like(u), u.new_empty(batch, *A.shape)
    dB, dC = u.new_empty(grid[2], *B.shape), u.new_empty(grid[2], *C.shape)
    _backward_kernel[grid](
        dy.contiguous(), u, delta, A, B, C, starts[0], scratch, du, d_delta, dA, dB, dC,
        length, channels, state,
        STEPS=STEPS, S=S, N=N, num_warps=1,
    )  # fmt: skip
    gates = (x.sum(0).transpose(2, 3).unsqueeze(-1) for x in (dB, dC))
    return du, d_delta, dA.sum(0).permute(2, 0, 1), *gates


def _laid_out(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> tuple[Tensor, ...]:
    """Returns the arguments with the state innermost: A (g, s, n), B and C (L, b, g, n)."""
    B, C = (x.squeeze(-1).transpose(2, 3).contiguous() for x in (B, C))
    return u.contiguous(), delta.contiguous(), A.permute(1, 2, 0).contiguous(), B, C
