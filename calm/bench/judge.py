"""`calm bench judge`: what judging costs beside the answers themselves, all on loopback.

The server runs in a process of its own and answers after a fixed time, so the ideal is known:
`ideal_N` is the share of N / latency requests a second that one process of ours reaches, while the
work is under way. Latencies are those of models: half a second where little is asked, two with 500
requests at once in the server's batch, which then gives 250 answers a second. What becomes of it
where answers come faster, 500 and 1,000 a second to one core of ours, is measured as well.

`sdk` puts a plain `asyncio.gather` over the SDK with its own retries against a limit of 50 requests
a second beside ours: requests sent for each answer, theirs over ours.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calm.annotation.live import Annotator
from calm.annotation.many import annotate
from calm.asking.tally import Tally
from calm.bench.harness import Row, Say, machine, row
from calm.bench.sdk_baseline import plain_gather
from calm.judges.baselines import Random
from calm.judges.openai import OpenAIJudge, OpenAIOptions
from calm.records import Subgoal, Task, Transition
from calm.store.question import Context
from calm.store.store import Store

_TASK = Task(
    "Bench-v0",
    "Reach the stairs.",
    (
        Subgoal("pick up the key", "The key enters the inventory with this step."),
        Subgoal("open the door", "A closed door is open after this step."),
    ),
)
_BUCKET = 50.0  # requests a second
# Requests at once, seconds an answer, rounds of requests, and whether it is one of the ratios.
_LOADS = ((50, 0.5, 10, True), (500, 2.0, 4, True), (500, 1.0, 6, False), (500, 0.5, 8, False))


def run(quick: bool = False, progress: Say = lambda line: None) -> dict[str, Any]:
    """Runs the bench and gives its table, in the shape of every bench of this project."""
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for at_once, latency, rounds, aim in _LOADS:
        name = f"{at_once} at once, {latency:g} s"
        repeats = 3 if aim and not quick else 1
        measured = []
        for repeat in range(1, repeats + 1):
            progress(f"{name}: {repeat} of {repeats}")
            measured.append(_share(at_once, latency, 3 if quick else rounds))
        rows.append(row(f"{name}: share", "", [m[0] for m in measured]))
        for who, which in (("ours", 1), ("server's", 2)):
            milliseconds = [1e3 * m[which] for m in measured]
            rows.append(row(f"{name}: processor, {who}", "ms/request", milliseconds))
        if aim:
            ratios[f"ideal_{at_once}"] = statistics.median(m[0] for m in measured)
    ratios["sdk"] = _limited(200 if quick else 1000, rows, progress)
    progress("lookups")
    lookups = [_lookups(quick) for _ in range(3)]
    rows.append(row("lookups as in training", "1/s", lookups))
    size = 50_000 if quick else 1_000_000
    progress(f"a store of {size:,} answers")
    opened, stored = _start(size)
    rows.append(row(f"start on {size:,} answers", "s", opened))
    rows.append(row("lookups in the file", "1/s", stored))
    return {
        "bench": "judge",
        "machine": machine(quick=quick),
        "rows": rows,
        "ratios": {**ratios, "lookups_per_s": statistics.median(lookups)},
    }


@contextmanager
def _server(**options: float) -> Iterator[tuple[str, int]]:
    """Runs a loopback server in a process of its own; yields its base URL and process id."""
    command = [sys.executable, "-m", "calm.loopback"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def _processor(pid: int) -> float:
    """Returns the seconds of processor time that a process has used; NaN where Linux says none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _transitions(n: int) -> list[Transition]:
    return [
        Transition(_TASK.id, {"events": f"Action: north.\nThe hero has moved {i} times."}, "north")
        for i in range(n)
    ]


def _share(at_once: int, latency: float, rounds: int) -> tuple[float, float, float]:
    """Returns the share of the ideal rate, and processor seconds a request, ours and the server's.

    All while the work is under way: two rounds of requests before are left out, and the last, in
    which the work runs dry.
    """
    marks: dict[int, tuple[float, float, float]] = {}

    def progress(tally: Tally) -> None:
        if tally.answered in (first, last):
            marks[tally.answered] = time.perf_counter(), time.process_time(), _processor(pid)

    first, last = 2 * at_once, (rounds + 2) * at_once
    with (
        tempfile.TemporaryDirectory() as folder,
        _server(latency=latency) as (url, pid),
        Store(Path(folder) / "bench.sqlite") as store,
    ):
        options = OpenAIOptions(base_url=url, concurrency=at_once)
        judge = OpenAIJudge("bench", store=store, options=options)
        # The limit has to be found once: that is the endpoint's doing, not ours.
        judge.endpoint.pace.limit = float(at_once)
        many = _transitions(last + at_once)
        judge.judge(_TASK, _TASK.subgoals, many, tally=Tally(on_change=progress))
        judge.close()
    seconds, ours, theirs = (b - a for a, b in zip(marks[first], marks[last], strict=True))
    n = at_once * rounds
    return rounds * latency / seconds, ours / n, theirs / n


def _limited(n: int, rows: list[Row], progress: Say) -> float:
    """Returns the requests for each answer under a rate limit: the SDK alone over ours."""
    progress("a limit of 50 requests a second: ours")
    many = _transitions(n)
    ideal = (n - _BUCKET) / _BUCKET  # the bucket starts full
    with _server(latency=0.05, bucket=_BUCKET) as (url, _), Store() as store:
        judge = OpenAIJudge("bench", store=store, options=OpenAIOptions(base_url=url))
        _, summary = annotate(judge, _TASK, _TASK.subgoals, many)
        judge.close()
    ours = summary.usage.requests / n
    progress("a limit of 50 requests a second: the SDK alone")
    with _server(latency=0.05, bucket=_BUCKET) as (url, _):
        sdk = plain_gather(url, [t.texts["events"] for t in many], at_once=64)
    theirs = sdk.requests / max(1, sdk.answered)
    for name, unit, value in (
        ("limited, ours: failed", "", summary.unreadable),
        ("limited, ours: requests/answer", "", ours),
        ("limited, ours: time/ideal", "", summary.seconds / ideal),
        ("limited, SDK: failed", "", n - sdk.answered),
        ("limited, SDK: requests/answer", "", theirs),
        ("limited, SDK: time/ideal", "", sdk.seconds / ideal),
    ):
        rows.append(row(name, unit, [float(value)]))
    return theirs / ours


def _lookups(quick: bool) -> float:
    """Returns the texts a second that `Annotator.judge_texts` looks up, 32 of 150 at a time."""
    annotator = Annotator(Random(), _TASK)
    texts = [t.texts["events"] for t in _transitions(150)]
    batches = [[texts[(7 * i + 3 * j) % 150] for j in range(32)] for i in range(150)]
    annotator.judge_texts(texts)
    rounds = 20 if quick else 200
    clock = time.perf_counter()
    for _ in range(rounds):
        for batch in batches:
            annotator.judge_texts(batch)
    return rounds * 150 * 32 / (time.perf_counter() - clock)


def _start(size: int) -> tuple[list[float], list[float]]:
    """Returns seconds to open a store and find a first answer, and answers a second found in it."""
    context = Context(_TASK.id, _TASK.subgoals, "bench", "events")
    keys = [context.key(str(i)) for i in range(size)]
    opened, stored = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        with Store(path) as store:
            store.fill(context, keys)
        for _ in range(3):
            clock = time.perf_counter()
            with Store(path) as store:
                store.answers(keys[size // 2 : size // 2 + 1])
                opened.append(time.perf_counter() - clock)
                some = keys[:: max(1, size // 20_000)]
                clock = time.perf_counter()
                store.answers(some)
                stored.append(len(some) / (time.perf_counter() - clock))
    return opened, stored
