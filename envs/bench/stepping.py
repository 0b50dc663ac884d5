"""Measures steps a second: ours, the engine alone, MiniHack through gymnasium, other vectors.

All on the same machine in one run, with the same observation keys, random actions, automatic
resets and level generation, interleaved, medians over rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from calm.annotation.live import Annotator
from calm.bench.harness import Row, Say, machine, ratio, row
from calm.errors import UsageError
from calm.judges import make_judge
from envs.bench.contestants import (
    CORES,
    ENVS,
    ENVS_1,
    PEERS,
    Contestant,
    Play,
    engine,
    minihack,
    ours,
)
from envs.tasks import task as find_task

TASKS = (
    "MiniHack-KeyRoom-S5-v0",
    "MiniHack-KeyRoom-S15-v0",
    "MiniHack-Corridor-R3-v0",
    "MiniHack-River-v0",
)
UNIT = "steps/s"


@dataclass
class _Contest:
    """What came of letting all contestants play one task in turns."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    """Steps a second by contestant, one number for each round."""
    missing: list[str] = field(default_factory=list)
    """A line for each contestant that is not installed."""
    left_out: list[str] = field(default_factory=list)
    """A line for each that can't play this task."""

    def ratio(self, ours: str, theirs: str) -> float:
        """Returns the median over rounds of ours over theirs."""
        return ratio(self.rates[ours], self.rates[theirs])

    def play(self, name: str, play: Play, seconds: float) -> None:
        """Lets a contestant play for so many seconds."""
        self.rates.setdefault(name, []).append(play(seconds))

    def started(self, name: str, make: Callable[[], Contestant]) -> Contestant | None:
        """Returns a contestant; None, and why, where it is not there or can't play the task."""
        try:
            return make()
        except ModuleNotFoundError as error:
            self.missing.append(f"{name.split(',')[0]}: {error.name} is not installed")
        except UsageError as error:
            self.left_out.append(f"{name}: {error}")
        return None


def run(
    tasks: Sequence[str] = (),
    quick: bool = False,
    progress: Say | None = None,
    peers: bool = True,
) -> dict[str, Any]:
    """Measures all contestants; returns rates and ratios.

    Args:
        tasks: ids or files; none are `TASKS`, of which `quick` takes the first.
        quick: fewer and shorter rounds (about half a minute a task).
        progress: called with what is being measured.
        peers: measure the vector environments of others too, of which "best_peer" tells; starting
            their processes takes longer than all the rest.

    Returns:
        {"bench", "machine", "rows", "ratios", "by_task", "missing", "left_out"}: rows of {"name",
        "task", "value", "unit", "min", "max"}; ratios are ours over theirs, the geometric mean over
        tasks: "minihack" one core against one core, "best_peer" 16 environments on all cores
        against the fastest of the vector environments, "engine" against the engine alone on the
        same cores, left out where it can't play one of the tasks; "credit_cost" and
        "credit_cost_all_cores" are what judged credit adds to the time of a step, as a share of it
        (their arithmetic mean; smaller is better).
    """
    say = progress or (lambda text: None)
    rounds, seconds = (3, 0.25) if quick else (5, 0.5)
    rows: list[Row] = []
    by_task: dict[str, dict[str, float]] = {}
    missing: set[str] = set()
    left_out: list[str] = []
    for task in tasks or (TASKS[:1] if quick else TASKS):
        others = PEERS if peers else {}
        contest = _measure(task, rounds, seconds, others, say)
        missing.update(contest.missing)
        left_out += contest.left_out
        for name, rates in contest.rates.items():
            rows.append(row(name, UNIT, rates, task=task))
        by_task[task] = _ratios(contest)
    ratios = {
        name: (statistics.fmean if "cost" in name else statistics.geometric_mean)(
            of_task[name] for of_task in by_task.values()
        )
        for name in next(iter(by_task.values()))
        if all(name in of_task for of_task in by_task.values())
    }
    return {
        "bench": "env",
        "machine": machine(),
        "rows": rows,
        "ratios": ratios,
        "by_task": by_task,
        "missing": sorted(missing),
        "left_out": left_out,
    }


OURS, OURS_1 = f"ours, {ENVS} envs, all cores", f"ours, {ENVS_1} envs, 1 core"
JUDGED, JUDGED_1 = f"{OURS}, judged credit", f"{OURS_1}, judged credit"
ENGINE, ENGINE_1 = "engine alone, all cores", "engine alone, 1 core"
MINIHACK = "MiniHack, 1 core"


def _ratios(contest: _Contest) -> dict[str, float]:
    """Returns the ratios that `run` describes, of one task."""
    ratios = {"minihack": contest.ratio(OURS_1, MINIHACK)}
    if ENGINE in contest.rates:
        ratios["engine"] = contest.ratio(OURS, ENGINE)
    peers = [contest.ratio(OURS, f"{name}, {ENVS} envs") for name in PEERS
             if f"{name}, {ENVS} envs" in contest.rates]  # fmt: skip
    if peers:
        ratios["best_peer"] = min(peers)
    ratios["credit_cost"] = contest.ratio(OURS_1, JUDGED_1) - 1.0
    ratios["credit_cost_all_cores"] = contest.ratio(OURS, JUDGED) - 1.0
    return ratios


def _measure(
    task: str,
    rounds: int,
    seconds: float,
    peers: Mapping[str, Callable[[str], Contestant]],
    say: Say,
) -> _Contest:
    """Lets all contestants play one task in turns.

    Args:
        task: id or file.
        rounds: how often each plays.
        seconds: that it plays for, each time.
        peers: by name, vector environments of others.
        say: called with what is being measured.
    """
    contest = _Contest()
    makers: dict[str, Callable[[], Contestant]] = {
        ENGINE_1: lambda: engine(task, 1),
        ENGINE: lambda: engine(task, CORES),
        MINIHACK: lambda: minihack(task),
        **{f"{peer}, {ENVS} envs": partial(make, task) for peer, make in peers.items()},
    }
    with ExitStack() as stack:
        players: dict[str, Play] = {}
        for name, make in makers.items():
            say(f"{task}: {name}")
            started = contest.started(name, make)
            if started is not None:
                players[name], close = started
                stack.callback(close)
        for play in players.values():
            play(seconds / 2)  # warm up
        judge = _judge_of_random_play(task, 10 * seconds)
        for number in range(rounds):
            say(f"{task}: round {number + 1} of {rounds}")
            for name, play in players.items():
                contest.play(name, play, seconds)
            # Ours are set up anew: where a batch lies in memory makes 5 % of its speed.
            for name, n_envs, workers, by in (
                (OURS_1, ENVS_1, 0, None),
                (JUDGED_1, ENVS_1, 0, judge),
                (OURS, ENVS, None, None),
                (JUDGED, ENVS, None, judge),
            ):
                play, close = ours(task, n_envs, workers, by)
                play(seconds)
                contest.play(name, play, seconds)
                close()
    return contest


def _judge_of_random_play(task: str, seconds: float) -> Annotator:
    """Returns the judge `rules`, asked already about what so many seconds of random play meet."""
    described = find_task(task)
    judge = Annotator(make_judge("rules"), described, described.subgoals)
    play, close = ours(task, ENVS_1, 0, judge)
    play(seconds)
    close()
    return judge
