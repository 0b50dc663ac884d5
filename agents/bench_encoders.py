"""Time and memory of the attention mechanisms, their baselines, and the selective scan's rivals.

Everything is compared on the same inputs in one process: contestants take turns, one run each a
round, so that a slow spell of the machine falls on all; a row is the median, least and greatest.
What is not installed or would take too long is left out and named.

Two ratios, theirs over ours in time of forward and backward, larger is better:
    agent_vs_sdpa_1659     full softmax attention over agent attention with its default 27 agents,
                           both with projections: 16 maps of 21 x 79, 64 channels, 4 heads
    scan_vs_mambapy_1659   mambapy's `pscan` over our scan: length 1659, batch 4, 64 channels,
                           state 16
"""

from __future__ import annotations

import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from agents.encoders import MECHANISMS, make_mechanism
from agents.encoders.selective_scan import selective_scan

Progress = Callable[[str], None]

DIM = 64
MAPS = {81: (9, 9), 440: (11, 40), 1659: (21, 79), 6636: (42, 158)}
"""Cells and shapes: a crop, a map after a stem of stride 2, a map, and four maps."""
BATCHES = (1, 16, 256)
LENGTHS = (81, 440, 1659, 6636)
CELLS_AT_MOST = {"cpu": 30_000, "cuda": 2_000_000}
"""Cells in a batch beyond which a mechanism is left out: seconds a run on one core."""
PAIRS_AT_MOST = {"cpu": 60_000_000, "cuda": 12_000_000_000}
"""Pairs of cells in a batch beyond which full softmax attention is."""

CONTESTANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in MECHANISMS},
    "agent, 49 agents": ("agent", {"agents": (7, 7)}),
    "gaussian softmax": ("gaussian", {"form": "softmax"}),
    "gaussian mixture": ("gaussian", {"form": "mixture"}),
    "ss2d, expand 1": ("ss2d", {"expand": 1}),
}


class Timing(NamedTuple):
    """Milliseconds of a run."""

    median: float
    least: float
    most: float


def run(quick: bool, progress: Progress, device: str | None = None) -> dict[str, Any]:
    """Measure everything on `device` (a CUDA device if there is one).

    Args:
        quick: a crop and a map, fewer mechanisms, lengths and rounds.
        progress: told what is measured next, a line each.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    rounds = 3 if quick else 15
    sizes = [(n, b) for n in MAPS for b in BATCHES]
    only = None
    if quick:
        sizes, only = [(81, 16), (1659, 16)], ("agent", "pooled", "softmax", "gaussian", "scan")
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    for cells, batch in sizes:
        progress(f"mechanisms on {batch} x {cells} cells")
        rows += mechanisms(cells, batch, device, rounds, left_out, only)
    for length in (81, 1659) if quick else LENGTHS:
        progress(f"scans of length {length}")
        rows += scans(length, device, rounds, left_out)
    return {
        "bench": "encoders",
        "machine": machine(device),
        "rows": rows,
        "ratios": ratios(rows),
        "left_out": left_out,
    }


def mechanisms(
    cells: int,
    batch: int,
    device: str,
    rounds: int,
    left_out: list[str],
    only: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Rows of every mechanism (or of `only` some): forward, forward and backward, peak memory."""
    kind = torch.device(device).type
    if batch * cells > CELLS_AT_MOST[kind]:
        left_out.append(f"{batch} x {cells} cells: would take too long")
        return []
    height, width = MAPS[cells]
    torch.manual_seed(0)
    x = torch.randn(batch, cells, DIM, device=device)
    modules: dict[str, nn.Module] = {}
    for label, (name, options) in CONTESTANTS.items():
        if only is not None and label not in only:
            continue
        if name == "softmax" and batch * cells**2 > PAIRS_AT_MOST[kind]:
            left_out.append(f"{label} on {batch} x {cells} cells: would take too long")
        else:
            modules[label] = make_mechanism(name, DIM, height, width, **options).to(device)
    if only is None:
        modules["convolution 3x3"] = _Convolution(height, width).to(device)
    runs: dict[str, Callable[[], None]] = {}
    for label, module in modules.items():
        runs[f"{label} forward"] = _without_gradient(module, x)
        runs[f"{label} forward+backward"] = _with_gradient(module, [*module.parameters()], x)
    timings = measure(runs, device, rounds)
    rows = []
    for label, timing in timings.items():
        row = _row(f"{label} {batch}x{cells}", timing, tokens=cells, batch=batch)
        if label.endswith("backward"):
            row["peak_mib"] = round(peak_memory(runs[label], device) / 2**20, 1)
        rows.append(row)
    return rows


def scans(length: int, device: str, rounds: int, left_out: list[str]) -> list[dict[str, Any]]:
    """Rows of our scan and its rivals: batch 4, 64 channels, state 16.

    `error` is the largest difference from our scan in float64, over its largest value.
    """
    torch.manual_seed(0)
    batch, state = 4, 16
    args = [
        torch.randn(batch, length, DIM, device=device),
        torch.rand(batch, length, DIM, device=device) * 0.1,
        -torch.arange(1.0, state + 1, device=device).repeat(DIM, 1),
        torch.randn(batch, length, state, device=device),
        torch.randn(batch, length, state, device=device),
    ]
    rivals: dict[str, Callable[..., Tensor]] = {"ours": _ours, "unbind loop": _unbind_loop}
    if length <= 81:
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
    runs: dict[str, Callable[[], None]] = {"floor": _copy_of_the_bytes(args, exact)}
    errors: dict[str, float] = {}
    leaves = [x.requires_grad_() for x in args]
    for label, scan in rivals.items():
        with torch.no_grad():
            difference = (scan(*leaves) - exact).abs().max() / exact.abs().max()
        errors[label] = float(difference)
        runs[f"{label} forward"] = _without_gradient(scan, *leaves)
        runs[f"{label} forward+backward"] = _with_gradient(scan, leaves, *leaves)
    rows = []
    for label, timing in measure(runs, device, rounds).items():
        row = _row(f"scan: {label} {length}", timing, tokens=length, batch=batch)
        if label.endswith("backward"):
            row["peak_mib"] = round(peak_memory(runs[label], device) / 2**20, 1)
            row["error"] = errors[label.removesuffix(" forward+backward")]
        rows.append(row)
    return rows


def measure(
    runs: dict[str, Callable[[], None]], device: str, rounds: int, seconds: float = 3.0
) -> dict[str, Timing]:
    """Let the runs take turns: `rounds` each, fewer (3 at least) if that is over `seconds`."""
    times: dict[str, list[float]] = {label: [] for label in runs}
    wanted = {}
    for label, go in runs.items():
        once = _timed(go, device)  # also warms it up: not counted
        wanted[label] = max(3, min(rounds, int(seconds * 1e3 / max(once, 1e-3))))
    for turn in range(rounds):
        for label, go in runs.items():
            if turn < wanted[label]:
                times[label].append(_timed(go, device))
    return {k: Timing(statistics.median(v), min(v), max(v)) for k, v in times.items()}


def peak_memory(go: Callable[[], None], device: str) -> int:
    """Bytes allocated at once during a run, beyond what was before it."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        go()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it tells stderr that it starts and stops
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        go()
    now = peak = 0
    for change in _memory_changes(profile):
        now += change
        peak = max(peak, now)
    return peak


def ratios(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The two ratios of the module's docstring, where both sides were measured."""
    value = {row["name"]: row["value"] for row in rows}
    pairs = {
        "agent_vs_sdpa_1659": (
            "softmax forward+backward 16x1659",
            "agent forward+backward 16x1659",
        ),
        "scan_vs_mambapy_1659": (
            "scan: mambapy forward+backward 1659",
            "scan: ours forward+backward 1659",
        ),
    }
    return {
        name: round(value[theirs] / value[ours], 2)
        for name, (theirs, ours) in pairs.items()
        if theirs in value and ours in value
    }


def machine(device: str) -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


class _Convolution(nn.Module):
    """The plainest way for a cell to see its neighbours, in the mechanisms' interface."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.shape = height, width
        self.conv = nn.Conv2d(DIM, DIM, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        grid = x.unflatten(1, self.shape).permute(0, 3, 1, 2)
        out: Tensor = self.conv(grid)
        return out.permute(0, 2, 3, 1).flatten(1, 2)


def _ours(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    u, delta, B, C = (x.transpose(1, 2) for x in (u, delta, B, C))
    return selective_scan(u, delta, A, B, C).transpose(1, 2)


def _decays_and_inputs(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """exp(Δ A) and Δ B u, each (batch, length, channels, state)."""
    return torch.exp(delta.unsqueeze(-1) * A), (delta * u).unsqueeze(-1) * B.unsqueeze(2)


def _read_out(h: Tensor, C: Tensor) -> Tensor:
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


def _copy_of_the_bytes(args: list[Tensor], y: Tensor) -> Callable[[], None]:
    """A copy that moves as many bytes as a forward scan must: its inputs in, its output out."""
    count = (sum(x.numel() for x in args) + y.numel()) // 2  # a copy reads and writes each
    source = torch.randn(count, device=y.device)
    target = torch.empty_like(source)

    def go() -> None:
        target.copy_(source)

    return go


def _without_gradient(f: Callable[..., Tensor], *args: Tensor) -> Callable[[], None]:
    def go() -> None:
        with torch.no_grad():
            f(*args)

    return go


def _with_gradient(
    f: Callable[..., Tensor], wanted: list[Tensor], *args: Tensor
) -> Callable[[], None]:
    def go() -> None:
        torch.autograd.grad(f(*args).sum(), wanted)

    return go


def _timed(go: Callable[[], None], device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    start = time.perf_counter()
    go()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3


def _memory_changes(profile: Any) -> Iterator[int]:
    """Bytes allocated (positive) and freed (negative), in order of time."""
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    for event in events:
        yield event.nbytes()


def _row(name: str, timing: Timing, **more: int) -> dict[str, Any]:
    digits = {
        "value": round(timing.median, 3),
        "min": round(timing.least, 3),
        "max": round(timing.most, 3),
    }
    return {"name": name, **digits, "unit": "ms", **more}
