"""Measures the selective scan beside its rivals: loops in torch, mambapy's `pscan`, torch's own.

All scan the same inputs: batch 4, 64 channels, state 16.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor

from agents.bench.timing import (
    Run,
    as_row,
    measure,
    peak_memory,
    with_gradient,
    without_gradient,
)
from agents.encoders.selective_scan import selective_scan
from calm.bench.harness import Row

LENGTHS = (81, 440, 1659, 6636)
BATCH, CHANNELS, STATE = 4, 64, 16
INDEXING_AT_MOST = 440
"""Length beyond which the loop that indexes is left out: its backward is quadratic."""
RIVALS = ("unbind loop", "indexing loop", "mambapy", "associative_scan")


def scans(length: int, device: str, rounds: int, left_out: list[str]) -> list[Row]:
    """Measures our scan and its rivals; returns a row each: batch 4, 64 channels, state 16.

    `error` is the largest difference from our scan in float64, over its largest value.
    """
    torch.manual_seed(0)
    batch, state = BATCH, STATE
    args = [
        torch.randn(batch, length, CHANNELS, device=device),
        torch.rand(batch, length, CHANNELS, device=device) * 0.1,
        -torch.arange(1.0, state + 1, device=device).repeat(CHANNELS, 1),
        torch.randn(batch, length, state, device=device),
        torch.randn(batch, length, state, device=device),
    ]
    rivals: dict[str, Callable[..., Tensor]] = {"ours": _ours, "unbind loop": _unbind_loop}
    if length < INDEXING_AT_MOST:
        rivals["indexing loop"] = _indexing_loop
    else:
        left_out.append(f"indexing loop at length {length}: its backward is quadratic in length")
    if importlib.util.find_spec("mambapy"):
        rivals["mambapy"] = _mambapy
    elif "mambapy: not installed" not in left_out:
        left_out.append("mambapy: not installed")
    if _has_associative_scan():
        rivals["associative_scan"] = _associative_scan
    elif "associative_scan: not in this torch" not in left_out:
        left_out.append("associative_scan: not in this torch")

    exact = _ours(*(x.double() for x in args))
    runs: dict[str, Run] = {"floor": _copy_of_the_bytes(args, exact)}
    errors: dict[str, float] = {}
    leaves = [x.requires_grad_() for x in args]
    for label, scan in rivals.items():
        with torch.no_grad():
            difference = (scan(*leaves) - exact).abs().max() / exact.abs().max()
        errors[label] = float(difference)
        runs[f"{label} forward"] = without_gradient(scan, *leaves)
        runs[f"{label} forward+backward"] = with_gradient(scan, leaves, *leaves)
    rows = []
    for label, timing in measure(runs, device, rounds).items():
        row = as_row(f"scan: {label} {length}", timing, tokens=length, batch=batch)
        if label.endswith("backward"):
            row["peak_mib"] = round(peak_memory(runs[label], device) / 2**20, 1)
            row["error"] = errors[label.removesuffix(" forward+backward")]
        rows.append(row)
    return rows


def _ours(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    u, delta, B, C = (x.transpose(1, 2) for x in (u, delta, B, C))
    return selective_scan(u, delta, A, B, C).transpose(1, 2)


def _decays_and_inputs(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Returns exp(Δ A) and Δ B u, each (batch, length, channels, state)."""
    return torch.exp(delta.unsqueeze(-1) * A), (delta * u).unsqueeze(-1) * B.unsqueeze(2)


def _read_out(h: Tensor, C: Tensor) -> Tensor:
    """Returns y (batch, length, channels) of states (batch, length, channels, state)."""
    return (h @ C.unsqueeze(-1)).squeeze(-1)


def _unbind_loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    decay, x = _decays_and_inputs(u, delta, A, B)
    h, states = torch.zeros_like(x[:, 0]), []
    for decay_t, x_t in zip(decay.unbind(1), x.unbind(1), strict=True):
        h = torch.addcmul(x_t, decay_t, h)
        states.append(h)
    return _read_out(torch.stack(states, 1), C)


def _indexing_loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    decay, x = _decays_and_inputs(u, delta, A, B)
    h, states = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        h = decay[:, t] * h + x[:, t]
        states.append(h)
    return _read_out(torch.stack(states, 1), C)


def _mambapy(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    from mambapy.pscan import pscan

    return _read_out(pscan(*_decays_and_inputs(u, delta, A, B)), C)


def _has_associative_scan() -> bool:
    """Returns whether this torch has an associative scan."""
    try:  # a prototype, without a public path
        from torch._higher_order_ops import associative_scan  # noqa: F401
    except ImportError:
        return False
    return True


def _associative_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    from torch._higher_order_ops import associative_scan

    def after(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return first[0] * second[0], second[0] * first[1] + second[1]

    pair = _decays_and_inputs(u, delta, A, B)
    return _read_out(associative_scan(after, pair, dim=1, combine_mode="generic")[1], C)


def _copy_of_the_bytes(args: list[Tensor], y: Tensor) -> Run:
    """Returns a copy that moves as many bytes as a forward scan must: inputs in, output out."""
    count = (sum(x.numel() for x in args) + y.numel()) // 2  # a copy reads and writes each
    source = torch.randn(count, device=y.device)
    target = torch.empty_like(source)

    def go() -> None:
        target.copy_(source)

    return go
