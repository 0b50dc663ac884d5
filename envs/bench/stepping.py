"""Measures steps a second: ours, the engine alone, MiniHack through gymnasium, other vectors.

All on the same machine in one run, with the same observation keys, random actions, automatic
resets and level generation, interleaved, medians over rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
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
    """Steps a second by contestant, one number for each round."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, ours: str, theirs: str) -> float:
        """Returns the median over rounds of ours over theirs."""
        return ratio(self.rates[ours], self.rates[theirs])


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
    missing: list[str] = []
    left_out: list[str] = []
    for task in tasks or (TASKS[:1] if quick else TASKS):
        others = PEERS if peers else {}
        contest = _measure(task, rounds, seconds, others, say, missing, left_out)
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
        "missing": sorted(set(missing)),
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
    missing: list[str],
    left_out: list[str],
) -> _Contest:
    """Lets all contestants play one task in turns; returns their rates.

    Args:
        task: id or file.
        rounds: how often each plays.
        seconds: that it plays for, each time.
        peers: by name, vector environments of others.
        say: called with what is being measured.
        missing: gets a line for each contestant that is not installed.
        left_out: gets a line for each that can't play this task.
    """
    described = find_task(task)
    contest = _Contest()
    with ExitStack() as stack:
        players: dict[str, Play] = {}

        def enter(name: str, make: Callable[[], Contestant]) -> None:
            say(f"{task}: {name}")
            try:
                play, close = make()
            except ModuleNotFoundError as error:
                missing.append(f"{name.split(',')[0]}: {error.name} is not installed")
                return
            except UsageError as error:
                left_out.append(f"{name}: {error}")
                return
            stack.callback(close)
            players[name] = play

        enter(ENGINE_1, lambda: engine(task, 1))
        enter(ENGINE, lambda: engine(task, CORES))
        enter(MINIHACK, lambda: minihack(task))
        for peer, make in peers.items():
            enter(f"{peer}, {ENVS} envs", lambda make=make: make(task))  # type: ignore[misc]
        for play in players.values():
            play(seconds / 2)  # warm up
        judge = Annotator(make_judge("rules"), described, described.subgoals)
        play, close = ours(task, ENVS_1, 0, judge)
        play(10 * seconds)  # the descriptions of random play are judged
        close()
        for number in range(rounds):
            say(f"{task}: round {number + 1} of {rounds}")
            for name, play in players.items():
                contest.rates.setdefault(name, []).append(play(seconds))
            # Ours are set up anew: where a batch lies in memory makes 5 % of its speed.
            for name, n_envs, workers, by in (
                (OURS_1, ENVS_1, 0, None),
                (JUDGED_1, ENVS_1, 0, judge),
                (OURS, ENVS, None, None),
                (JUDGED, ENVS, None, judge),
            ):
                play, close = ours(task, n_envs, workers, by)
                play(seconds)
                contest.rates.setdefault(name, []).append(play(seconds))
                close()
    return contest
