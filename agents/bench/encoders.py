"""Measures time and memory of the attention mechanisms, their baselines and the scan's rivals.

Everything is compared on the same inputs in one process, in turns (`agents.bench.timing`). What
is not installed or would take too long is left out and named.

Ratios, theirs over ours in time of forward and backward, larger is better:
    agent_vs_sdpa_1659     full softmax attention over agent attention with its default 27 agents,
                           both with projections: 16 maps of 21 x 79, 64 channels, 4 heads
    scan_vs_mambapy_L      mambapy's `pscan` over our scan at length L, see `agents.bench.scan`
    scan_vs_best_L         the quickest of all its rivals over our scan
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from agents.bench.scan import LENGTHS, RIVALS, scans
from agents.bench.timing import (
    Run,
    as_row,
    machine,
    measure,
    peak_memory,
    with_gradient,
    without_gradient,
)
from agents.encoders import MECHANISMS, make_mechanism
from calm.bench.harness import Row, Say
from calm.errors import UsageError, unknown

DIM = 64
MAPS = {81: (9, 9), 440: (11, 40), 1659: (21, 79), 6636: (42, 158)}
"""Cells and shapes: a crop, a map after a stem of stride 2, a map, and four maps."""
BATCHES = (1, 16, 256)
CELLS_AT_MOST = {"cpu": 120_000, "cuda": 2_000_000}
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


def run(
    quick: bool,
    progress: Say,
    device: str | None = None,
    only: str | None = None,
    tokens: Collection[int] = (),
) -> dict[str, Any]:
    """Measures all on one device; returns {"bench", "machine", "rows", "ratios", "left_out"}.

    Args:
        quick: a crop and a map, fewer mechanisms, lengths and rounds.
        progress: called with what is measured next, a line each.
        device: `cpu` or `cuda`; None for a CUDA device where there is one.
        only: "mechanisms" or "scans".
        tokens: some of the numbers of cells and lengths; all if empty.

    Raises:
        UsageError: there is no such device here, or nothing is measured at such a number.
    """
    gpus = torch.cuda.device_count()
    device = device or ("cuda" if gpus else "cpu")
    devices = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{i}" for i in range(gpus))]
    if device not in devices:
        raise unknown("device", device, devices)
    rounds = 3 if quick else 15
    sizes = [(81, 16), (1659, 16)] if quick else [(n, b) for n in MAPS for b in BATCHES]
    lengths = (81, 1659) if quick else LENGTHS
    contestants = ("agent", "pooled", "softmax", "gaussian", "scan") if quick else None
    known = {n for n, _ in sizes if only != "scans"} | {n for n in lengths if only != "mechanisms"}
    if wrong := set(tokens) - known:
        valid = ", ".join(map(str, sorted(known)))
        raise UsageError(f"nothing is measured at {min(wrong)} tokens; valid here: {valid}")
    rows: list[Row] = []
    left_out: list[str] = []
    for cells, batch in sizes if only != "scans" else ():
        if not tokens or cells in tokens:
            progress(f"mechanisms on {batch} x {cells} cells")
            rows += mechanisms(cells, batch, device, rounds, left_out, contestants)
    for length in lengths if only != "mechanisms" else ():
        if not tokens or length in tokens:
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
) -> list[Row]:
    """Measures mechanisms; returns rows: forward, forward and backward, peak memory.

    Args:
        cells: one of `MAPS`.
        batch: maps at once.
        device: to measure on.
        rounds: in which all take turns.
        left_out: gets a line for each that would take too long.
        only: names of those to measure; None for all.
    """
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
    runs: dict[str, Run] = {}
    for label, module in modules.items():
        runs[f"{label} forward"] = without_gradient(module, x)
        runs[f"{label} forward+backward"] = with_gradient(module, [*module.parameters()], x)
    timings = measure(runs, device, rounds)
    rows: list[Row] = []
    for label, timing in timings.items():
        row = as_row(f"{label} {batch}x{cells}", timing, tokens=cells, batch=batch)
        if label.endswith("backward"):
            row["peak_mib"] = round(peak_memory(runs[label], device) / 2**20, 1)
        rows.append(row)
    return rows


def ratios(rows: Iterable[Row]) -> dict[str, float]:
    """Returns the ratios of the module's docstring, where both sides were measured."""
    value = {row["name"]: row["value"] for row in rows if "backward" in row["name"]}
    pairs = {
        "agent_vs_sdpa_1659": (
            ["softmax forward+backward 16x1659"],
            "agent forward+backward 16x1659",
        )
    }
    for length in LENGTHS:
        named = {rival: f"scan: {rival} forward+backward {length}" for rival in RIVALS}
        ours = f"scan: ours forward+backward {length}"
        pairs[f"scan_vs_mambapy_{length}"] = ([named["mambapy"]], ours)
        pairs[f"scan_vs_best_{length}"] = (list(named.values()), ours)
    by_name = {}
    for name, (theirs, ours) in pairs.items():
        measured = [value[rival] for rival in theirs if rival in value]
        if measured and ours in value:
            by_name[name] = round(min(measured) / value[ours], 2)
    return by_name


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
