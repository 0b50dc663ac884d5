"""Measures steps a second of training loops: ours, stable-baselines3, Sample Factory, PufferLib.

Collection and update, on the same task, keys, network and batches
(`agents.bench.one_contestant`), one after the other in each round, medians over rounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.bench.one_contestant import CONTESTANTS, REMEMBERING
from calm.bench.harness import Say, machine, ratio, row, said_of
from calm.errors import CalmError

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers"
"""Where `make bench-peers` installs what can't live beside our own packages."""
FAMILIES = {
    "sb3": ("SB3 DummyVecEnv", "SB3 SubprocVecEnv"),
    "sample_factory": ("Sample Factory, sync", "Sample Factory, async"),
    "pufferlib": ("PufferLib, serial", "PufferLib, multiprocessing"),
    "sb3_contrib": ("sb3-contrib DummyVecEnv, lstm", "sb3-contrib SubprocVecEnv, lstm"),
}
"""Ways to set each peer up; the faster one counts."""
SIZES = {"M": "528k", "S": "small"}
UNIT = "steps/s"
PATIENCE = 180.0
"""Seconds after which a contestant is given up."""


@dataclass
class Contest:
    """Steps a second of all contestants."""

    rates: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """By size and contestant, one for each round."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a contestant has no rates, by name."""
    names: tuple[str, ...] = tuple(CONTESTANTS)
    """Of the contestants; the first is ours."""

    def play(self, seconds: float, say: Say) -> None:
        """Plays one round, which counts when it is whole; who fails is left out of all rounds.

        Raises:
            CalmError: our own loop or stable-baselines3's failed.
        """
        rates = {}
        for size in SIZES:
            for name in self.names:
                if name in self.missing:
                    continue
                say(f"{SIZES[size]}: {name}")
                try:
                    rates[size, name] = measure(name, size, seconds)
                except CalmError as error:
                    if python_of(name) == Path(sys.executable):
                        raise
                    self.missing[name] = str(error)
        for key, rate in rates.items():
            self.rates.setdefault(key, []).append(rate)
        self.rates = {key: of for key, of in self.rates.items() if key[1] not in self.missing}

    def ratio(self, size: str, family: str, name: str = "") -> float | None:
        """Returns the median over rounds of ours over theirs, whose faster setup counts.

        Args:
            size: of the network.
            family: of `FAMILIES`.
            name: of ours; the first by default.
        """
        theirs = [self.rates[size, name] for name in FAMILIES[family] if (size, name) in self.rates]
        if not theirs:
            return None
        best = max(theirs, key=statistics.median)
        return ratio(self.rates[size, name or self.names[0]], best)

    def hold(self, quick: bool, progress: Say) -> bool:
        """Plays all rounds; returns whether Ctrl-C ended it after some whole ones."""
        rounds, seconds = (1, 2.0) if quick else (3, 5.0)
        for number in range(1, rounds + 1):
            try:
                self.play(seconds, said_of(f"round {number} of {rounds}", progress))
            except KeyboardInterrupt:
                if not self.rates:
                    raise
                return True
        return False

    def figures(self) -> dict[str, Any]:
        """Returns the machine, and a row of each size and contestant."""
        rows = [
            row(f"{SIZES[size]}: {name}", UNIT, rates) for (size, name), rates in self.rates.items()
        ]
        return {"bench": "train", "machine": machine(), "rows": rows}


def run_memory(quick: bool = False, progress: Say = lambda text: None) -> dict[str, Any]:
    """Measures agents with an LSTM: ours beside sb3-contrib's, and beside ours without memory.

    Args:
        quick: as for `run` (about a minute).
        progress: called with what is being measured.

    Returns:
        As `run` does, with the ratios "sb3_contrib_528k" and "sb3_contrib_small".

    Raises:
        CalmError: one of the contestants failed.
    """
    contest = Contest(names=tuple(REMEMBERING))
    stopped = contest.hold(quick, progress)
    ratios = {f"sb3_contrib_{SIZES[size]}": contest.ratio(size, "sb3_contrib") for size in SIZES}
    return contest.figures() | {"ratios": ratios, "missing": [], "stopped": stopped}


def run(quick: bool = False, progress: Say = lambda text: None) -> dict[str, Any]:
    """Measures all contestants; Ctrl-C ends it with the rounds that are whole, if there is one.

    Args:
        quick: one round of two seconds each (about three minutes) instead of three of five.
        progress: called with what is being measured.

    Returns:
        {"bench", "machine", "rows", "ratios", "missing", "stopped"}: rows of {"name", "value",
        "unit", "min", "max"}, the network's size in the name; ratios are ours over theirs:
        "sb3_528k" and "sb3_small" for the two sizes of the network, the same with "_bfloat16" for
        ours in bfloat16, "sample_factory" and "pufferlib" the smaller of both sizes; "stopped"
        where rounds are missing.

    Raises:
        CalmError: our own loop or stable-baselines3's failed.
    """
    contest = Contest()
    stopped = contest.hold(quick, progress)
    ratios = {f"sb3_{SIZES[size]}": contest.ratio(size, "sb3") for size in SIZES}
    for size in SIZES:
        ratios[f"sb3_{SIZES[size]}_bfloat16"] = contest.ratio(size, "sb3", "ours, bfloat16")
    for family in ("sample_factory", "pufferlib"):
        by_size = [contest.ratio(size, family) for size in SIZES]
        ratios[family] = min((r for r in by_size if r is not None), default=None)
    return contest.figures() | {
        "ratios": {name: value for name, value in ratios.items() if value is not None},
        "missing": [f"{name}: {why}" for name, why in contest.missing.items()],
        "stopped": stopped,
    }


def python_of(name: str) -> Path:
    """Returns the interpreter that a contestant runs with."""
    for family in ("sample_factory", "pufferlib"):
        if name in FAMILIES[family]:
            return PEERS / family.replace("_", "-") / "bin" / "python"
    return Path(sys.executable)


def measure(name: str, size: str, seconds: float, device: str = "cpu") -> float:
    """Measures steps a second of one contestant in a process of its own.

    Args:
        name: one of `CONTESTANTS`.
        size: of the network.
        seconds: to train for, about.
        device: cpu, or cuda for ours and stable-baselines3.

    Raises:
        CalmError: it is not installed, or failed, or took too long.
    """
    python = python_of(name)
    if not python.exists():
        raise CalmError("not installed; `make bench-peers` does")
    command = [str(python), "-W", "ignore", "-m", "agents.bench.one_contestant", name, size]
    with (
        # What a contestant writes into the current or the temporary folder goes with this one.
        tempfile.TemporaryDirectory(prefix="calm-", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(
            [*command, str(seconds)],
            cwd=folder,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "TMPDIR": folder, "CALM_BENCH_DEVICE": device},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise CalmError(f"{name} gave no figure in {PATIENCE:.0f} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                # Some leave processes behind, which would hold the pipe.
                os.killpg(process.pid, signal.SIGKILL)
        lines = process.stdout.read().splitlines()
    try:
        figures = json.loads(lines[-1])
        return float(figures["steps"] / figures["seconds"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise CalmError(f"{name} ended with {process.returncode} and told no figure") from None
