"""Measures time and memory of contestants that do the same work in one process.

They take turns, one run each a round, so that a slow spell of the machine falls on all; a row is
the median, least and greatest.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm.bench import harness
from calm.bench.harness import Row

Run = Callable[[], None]


class Timing(NamedTuple):
    """Milliseconds of a run."""

    median: float
    """Of all rounds."""
    least: float
    """The quickest."""
    most: float
    """The slowest."""


def measure(
    runs: dict[str, Run], device: str, rounds: int, seconds: float = 1.0
) -> dict[str, Timing]:
    """Times runs in turns: `rounds` each, fewer (3 at least) if that takes over `seconds`."""
    times: dict[str, list[float]] = {label: [] for label in runs}
    turns = {}
    for label, go in runs.items():
        once = _timed(go, device)  # also warms it up: not counted
        turns[label] = max(3, min(rounds, int(seconds * 1e3 / max(once, 1e-3))))
    for turn in range(rounds):
        for label, go in runs.items():
            if turn < turns[label]:
                times[label].append(_timed(go, device))
    return {k: Timing(statistics.median(v), min(v), max(v)) for k, v in times.items()}


def peak_memory(go: Run, device: str) -> int:
    """Returns the most bytes allocated at once during a run, beyond what was before it."""
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


def machine(device: str) -> dict[str, Any]:
    """Returns what the figures were measured on, by name."""
    about = harness.machine(
        device=torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )
    return about | {"processor": about["cpu"]}  # its name in older results


def without_gradient(f: Callable[..., Tensor], *args: Tensor) -> Run:
    """Returns a run of the forward pass alone."""

    def go() -> None:
        with torch.no_grad():
            f(*args)

    return go


def with_gradient(f: Callable[..., Tensor], leaves: list[Tensor], *args: Tensor) -> Run:
    """Returns a run of the forward pass and of the gradients of `leaves`."""

    def go() -> None:
        torch.autograd.grad(f(*args).sum(), leaves)

    return go


def _timed(go: Run, device: str) -> float:
    """Runs once; returns the milliseconds that it took."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    start = time.perf_counter()
    go()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3


def _memory_changes(profile: Any) -> Iterator[int]:
    """Yields bytes allocated (positive) and freed (negative), in order of time."""
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    for event in events:
        yield event.nbytes()


def as_row(name: str, timing: Timing, **more: int) -> Row:
    """Returns a row of a bench's table."""
    digits = {
        "value": round(timing.median, 3),
        "min": round(timing.least, 3),
        "max": round(timing.most, 3),
    }
    return {"name": name, **digits, "unit": "ms", **more}
