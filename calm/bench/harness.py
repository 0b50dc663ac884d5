"""What every bench shares: its rows and ratios, the machine it ran on, and how it is shown.

A bench compares on the same work in one run, contestants in turns. It returns a report:

    {"bench": name, "machine": {...}, "rows": [...], "ratios": {name: number, ...}}

and may add "missing" (contestants that are not installed), "left_out" (what would take too long)
and "stopped" (whether Ctrl-C ended it early). Ratios are ours over theirs, larger is better.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]
Say = Callable[[str], None]
"""Shows one line: what is being measured now."""
Bench = Callable[[Say], Mapping[str, Any]]
"""Runs a bench and returns its report."""


def said_of(who: str, say: Say) -> Say:
    """Returns what shows a line with the name before it of whom it is about."""
    return lambda line: say(f"{who}: {line}")


def machine(**more: Any) -> dict[str, Any]:
    """Returns what a bench runs on: processor, cores for this process, load, Python and system.

    Args:
        more: further facts, such as the version of what was measured.
    """
    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        **more,
    }


def row(name: str, unit: str, values: Sequence[float], **more: Any) -> Row:
    """Returns a row of the table: median, least and greatest of a contestant's rounds.

    Args:
        name: of what was measured.
        unit: of the values, such as "steps/s".
        values: one a round, at least one.
        more: further columns; "task" and "peak_mib" are shown, others are in the JSON alone.
    """
    return {
        "name": name,
        "value": statistics.median(values),
        "unit": unit,
        "min": min(values),
        "max": max(values),
        **more,
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the median over rounds of ours over theirs.

    In a round both ran one after the other, so that a slow spell of the machine falls on both.

    Raises:
        ValueError: they have not the same number of rounds.
    """
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def run_bench(bench: Bench, as_json: bool) -> None:
    """Runs a bench with a line that says what it does, and prints its table or its JSON.

    Where stderr is no terminal, as in a log, each such line is printed.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the bench; what it had until then is printed.
    """
    console = Console(stderr=True, highlight=False)
    with console.status("starting") as status:

        def say(line: str) -> None:
            if console.is_terminal:
                status.update(Text(line))
            else:
                console.print(Text(line))

        report = bench(say)
    if as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _show(report)
    if report.get("stopped"):
        raise KeyboardInterrupt


def _show(report: Mapping[str, Any]) -> None:
    keys = {key for row in report["rows"] for key in row}
    task = ["task"] if "task" in keys else []
    peak = ["peak MiB"] if "peak_mib" in keys else []
    columns = ("what", *task, "median", "unit", "least", "most", *peak)
    table = Table(*columns, title=f"calm bench {report['bench']}")
    for line in report["rows"]:
        figures = [f"{line['value']:,.4g}", line["unit"]]
        figures += [f"{line['min']:,.4g}", f"{line['max']:,.4g}"]
        if peak:
            figures.append(f"{line['peak_mib']:,.1f}" if "peak_mib" in line else "")
        cells = (line["name"], *([line["task"]] if task else []), *figures)
        table.add_row(*map(Text, cells))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for name, value in report["ratios"].items():
        console.print(Text(f"{name:24} {value:.4g}"))
    for name in report.get("missing", ()):
        console.print(Text(f"not installed here, so left out: {name}"))
    for reason in report.get("left_out", ()):
        console.print(Text(f"left out: {reason}"))


def processor() -> str:
    """Returns the processor's name as Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
