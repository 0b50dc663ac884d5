"""Measures the selective scan beside its rivals: loops in torch, mambapy's `pscan`, torch's own.

All scan the same inputs: batch 4, 64 channels, state 16. What is right says `recurrence`, the
formula in torch's own operations, in float64 on the processor: it shares nothing with our kernels,
so that `scan_errors` finds a kernel that is wrong in every type.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Sequence

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
from agents.encoders.scan import MultiHeadScan
from agents.encoders.selective_scan import scan_map, selective_scan
from calm.bench.harness import Row

LENGTHS = (81, 440, 1659, 6636)
BATCH, CHANNELS, STATE = 4, 64, 16
INDEXING_AT_MOST = 440
"""Length beyond which the loop that indexes is left out: its backward is quadratic."""
RIVALS = ("unbind loop", "indexing loop", "mambapy", "associative_scan")
RESULTS = ("y", *(f"gradient of {name}" for name in ("u", "delta", "A", "B", "C")))
"""What `scan_errors` and `routed_scan_errors` compare."""

Scan = Callable[..., Tensor]
"""Returns y of u, delta, A, B and C; shapes: see `recurrence`."""


def scans(
    length: int,
    device: str,
    rounds: int,
    left_out: list[str],
    rivals: Collection[str] = RIVALS,
) -> list[Row]:
    """Measures our scan and its rivals; returns a row each: batch 4, 64 channels, state 16.

    `error` is the largest difference of y from `recurrence` in float64, over its largest value.

    Args:
        length: steps of the scan.
        device: to measure on.
        rounds: in which all take turns.
        left_out: gets a line for each rival that can't be measured here.
        rivals: those of `RIVALS` to measure.
    """
    args = _arguments(length)
    with torch.no_grad():
        exact = recurrence(*(x.double() for x in args))
    args = [x.to(device) for x in args]
    runs: dict[str, Run] = {"floor": _copy_of_the_bytes(args, exact)}
    errors: dict[str, float] = {}
    leaves = [x.requires_grad_() for x in args]
    for label, scan in _contestants(length, rivals, left_out).items():
        with torch.no_grad():
            errors[label] = difference(scan(*leaves), exact)
        runs[f"{label} forward"] = without_gradient(scan, *leaves)
        runs[f"{label} forward+backward"] = with_gradient(scan, leaves, *leaves)
    rows = []
    for label, timing in measure(runs, device, rounds).items():
        row = as_row(f"scan: {label} {length}", timing, tokens=length, batch=BATCH)
        if label.endswith("backward"):
            row["peak_mib"] = round(peak_memory(runs[label], device) / 2**20, 1)
            row["error"] = errors[label.removesuffix(" forward+backward")]
        rows.append(row)
    return rows


def scan_errors(length: int, device: str) -> dict[str, float]:
    """Returns how far our scan in float32 on a device is from `recurrence` in float64 on the CPU.

    Each of `RESULTS` by its name: the largest difference over the largest value.

    Args:
        length: steps of the scan; batch 4, 64 channels, state 16.
        device: where our scan runs; a CUDA device has the kernels in Triton.
    """
    return _errors(_ours, recurrence, _arguments(length), device)


def routed_scan_errors(height: int, width: int, device: str) -> dict[str, float]:
    """Returns the same as `scan_errors` of the scan along `MultiHeadScan`'s routes over a map.

    Steps and gates lie in memory head by head, as it passes them, and a quarter of the cells is
    masked (Δ = 0).

    Args:
        height: rows of the map.
        width: columns of the map; two maps at once, 64 channels in 4 heads, state 16.
        device: where our scan runs.
    """
    routes = MultiHeadScan(CHANNELS, height, width, state=STATE).scan

    def ours(*args: Tensor) -> Tensor:
        return scan_map(*args, *(x.to(args[0].device) for x in (routes.order, routes.back)))

    def exact(*args: Tensor) -> Tensor:
        return _recurrence_along(routes.order, *args)

    return _errors(ours, exact, _routed_arguments(routes.order), device)


def difference(found: Tensor, exact: Tensor) -> float:
    """Returns the largest difference of two tensors over the largest value of the second.

    NaN where either holds NaN. Computed in float64 on the processor.
    """
    found, exact = (x.detach().cpu().double() for x in (found, exact))
    return float((found - exact).abs().max() / exact.abs().max().clamp_min(1e-12))


def recurrence(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """Returns y (batch, length, ..., channels) by the formula, one step after the other.

    h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t,   y_t = Σ_n C_t[n] h_t[n]

    Args:
        u: input (batch, length, ..., channels).
        delta: step sizes Δ, the same shape.
        A: (..., channels, state), negative.
        B: input gates (batch, length, ..., state).
        C: output gates, the same shape as B.
    """
    h, y = torch.zeros_like(A), []
    for u_t, delta_t, B_t, C_t in zip(*(x.unbind(1) for x in (u, delta, B, C)), strict=True):
        input_t = (delta_t * u_t).unsqueeze(-1) * B_t.unsqueeze(-2)
        h = torch.exp(delta_t.unsqueeze(-1) * A) * h + input_t
        y.append((h * C_t.unsqueeze(-2)).sum(-1))
    return torch.stack(y, 1)


def _recurrence_along(
    order: Tensor, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor
) -> Tensor:
    """Returns what `scan_map` returns, of the same arguments, by `recurrence`."""
    at = order.permute(2, 0, 1)[None, ..., None]  # (1, cells, heads, K, 1)
    u = u.unsqueeze(3).expand_as(delta)
    u, delta, B, C = (torch.take_along_dim(x, at, 1) for x in (u, delta, B, C))
    y = recurrence(u, delta, A, B, C)
    return torch.zeros_like(y).scatter(1, at.expand_as(y), y)


def _errors(ours: Scan, exact: Scan, args: Sequence[Tensor], device: str) -> dict[str, float]:
    """Returns the differences of ours in float32 there from the exact one in float64 here."""
    expected = _with_gradients(exact, [x.double() for x in args])
    ours_there = _with_gradients(ours, [x.to(device) for x in args])
    differences = (difference(*pair) for pair in zip(ours_there, expected, strict=True))
    return dict(zip(RESULTS, differences, strict=True))


def _with_gradients(scan: Scan, args: Sequence[Tensor]) -> list[Tensor]:
    """Returns `RESULTS` of a scan: y, and each argument's gradient of y summed by fixed weights."""
    leaves = [x.detach().requires_grad_() for x in args]
    y = scan(*leaves)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return [y, *torch.autograd.grad((y * weights.to(y)).sum(), leaves)]


def _arguments(length: int) -> list[Tensor]:
    """Returns u, delta, A, B and C for `recurrence`, float32 on the processor."""
    torch.manual_seed(0)
    return [
        torch.randn(BATCH, length, CHANNELS),
        torch.rand(BATCH, length, CHANNELS) * 0.1,
        -torch.arange(1.0, STATE + 1).repeat(CHANNELS, 1),
        torch.randn(BATCH, length, STATE),
        torch.randn(BATCH, length, STATE),
    ]


def _routed_arguments(order: Tensor, batch: int = 2) -> list[Tensor]:
    """Returns u, delta, A, B and C for `scan_map` as `RouteScan` passes them, float32."""
    torch.manual_seed(0)
    heads, routes, cells = order.shape
    size = CHANNELS // heads
    delta = (torch.rand(heads, routes, batch, cells, size) * 0.1).permute(2, 3, 0, 1, 4)
    delta = delta * (torch.rand(batch, cells, 1, 1, 1) > 0.25)
    B, C = torch.randn(2, heads, batch, cells, routes, STATE).permute(0, 2, 3, 1, 4, 5)
    A = -torch.arange(1.0, STATE + 1).repeat(heads, routes, size, 1)
    return [torch.randn(batch, cells, heads, size), delta, A, B, C]


def _contestants(length: int, wanted: Collection[str], left_out: list[str]) -> dict[str, Scan]:
    """Returns ours and the wanted rivals that can run here, by name; names the others."""
    known: dict[str, tuple[Scan, str]] = {
        "unbind loop": (_unbind_loop, ""),
        "indexing loop": (
            _indexing_loop,
            "" if length < INDEXING_AT_MOST else "its backward is quadratic in length",
        ),
        "mambapy": (_mambapy, "" if importlib.util.find_spec("mambapy") else "not installed"),
        "associative_scan": (
            _associative_scan,
            "" if _has_associative_scan() else "not in this torch",
        ),
    }
    contestants: dict[str, Scan] = {"ours": _ours}
    for name in wanted:
        scan, reason = known[name]
        at = f" at length {length}" if name == "indexing loop" else ""
        if not reason:
            contestants[name] = scan
        elif (line := f"{name}{at}: {reason}") not in left_out:
            left_out.append(line)
    return contestants


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
    source = torch.randn(count, device=args[0].device)
    target = torch.empty_like(source)

    def go() -> None:
        target.copy_(source)

    return go
