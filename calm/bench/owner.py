"""`calm bench owner`: how fast one owner of questions answers what it has, over loopback.

The owner runs in a process of its own; askers are threads of as many processes as there are cores
to spare, each with a connection, that look up answers in batches. `lookups_N` is answers a second
with N askers, over the aim of 20,000; a row says how long one batch takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calm.bench.harness import Row, Say, machine, row
from calm.errors import CalmError
from calm.owned.address import OwnerAddress, read_token
from calm.owned.connection import OwnerConnection
from calm.owned.wire import QUESTIONS, context_value, read_judgement
from calm.records import Subgoal
from calm.store.question import Context
from calm.store.store import Store

AIM = 20_000
"""Looked-up answers a second that one core is to give."""
ASKERS = (1, 8, 64)
_ANSWERS = 20_000
_CONTEXT = Context(
    "Bench-v0",
    (
        Subgoal("pick up the key", "The key enters the inventory with this step."),
        Subgoal("open the door", "A closed door is open after this step."),
    ),
    "bench",
    "events",
)


def run(quick: bool = False, progress: Say = lambda line: None) -> dict[str, Any]:
    """Runs the bench and gives its table, in the shape of every bench of this project."""
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    seconds, repeats = (1.0, 2) if quick else (5.0, 3)
    keys = [_CONTEXT.key(str(i)) for i in range(_ANSWERS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        with Store(path) as store:
            store.fill(_CONTEXT, keys)
        with _owner(path) as address:
            _look_up_for(address, keys, 1, 0.2)  # into the owner's memory
            for size in (1, QUESTIONS):
                for askers in ASKERS:
                    name = f"{askers} askers, {size} a batch"
                    rates, latencies = [], []
                    for repeat in range(1, repeats + 1):
                        progress(f"{name}: {repeat} of {repeats}")
                        rate, times = _look_up_for(address, keys, askers, seconds, size)
                        rates.append(rate)
                        latencies += times
                    rows.append(row(f"{name}: answers", "1/s", rates))
                    latencies.sort()
                    middle = [1e3 * latencies[len(latencies) // 2]]
                    late = [1e3 * latencies[int(0.99 * (len(latencies) - 1))]]
                    rows.append(row(f"{name}: a batch, median", "ms", middle))
                    rows.append(row(f"{name}: a batch, 99 of 100", "ms", late))
                    if size == QUESTIONS:
                        ratios[f"lookups_{askers}"] = sorted(rates)[len(rates) // 2] / AIM
    return {"bench": "owner", "machine": machine(quick=quick), "rows": rows, "ratios": ratios}


@contextmanager
def _owner(store: Path) -> Iterator[OwnerAddress]:
    """Runs an owner in a process of its own; yields its address."""
    command = [sys.executable, "-m", "calm", "owner", "serve", "--store", str(store)]
    command += ["--base-url", "http://127.0.0.1:9/v1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().partition("=")[2].strip() for _ in range(2)]
            if not all(lines):
                raise CalmError(f"the owner ended with status {process.wait()}")
            yield OwnerAddress(lines[0], read_token(Path(lines[1]), "the bench"))
        finally:
            process.terminate()


def _look_up_for(
    address: OwnerAddress, keys: list[bytes], askers: int, seconds: float, size: int = QUESTIONS
) -> tuple[float, list[float]]:
    """Returns answers a second, and the seconds of each batch.

    All askers are threads of one other process, which reads the answers too.
    """
    code = "from calm.bench.owner import ask_as_process; ask_as_process()"
    work = {
        "url": address.url,
        "token": address.token,
        "keys": [key.hex() for key in keys],
        "askers": askers,
        "seconds": seconds,
        "size": size,
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(work),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    return result["rate"], result["times"]


def ask_as_process() -> None:
    """Looks up answers as standard input says, and writes the rate and times to standard output."""
    work = json.load(sys.stdin)
    address = OwnerAddress(work["url"], work["token"])
    times: list[float] = []
    answers: list[tuple[int, float, float]] = []
    """Of each asker: how many, and when it began and had the last."""
    begin = threading.Barrier(work["askers"])

    def ask(number: int) -> None:
        connection = OwnerConnection(address)
        connection.open(
            "open", context=1, spec="openai:bench", of=context_value(_CONTEXT),
            per_request=1, repair=False, again=[],
        )  # fmt: skip
        size, keys, count = work["size"], work["keys"], 0
        begin.wait(60)
        first = time.perf_counter()
        end = first + work["seconds"]
        names = [s.name for s in _CONTEXT.subgoals]
        i = number * 997
        while (clock := time.perf_counter()) < end:
            i = (i + size) % (len(keys) - size)
            value = connection.call("look_up", context=1, keys="".join(keys[i : i + size]))
            count += len([read_judgement(one, names) for one in value])
            times.append(time.perf_counter() - clock)
        answers.append((count, first, time.perf_counter()))
        connection.close()

    threads = [threading.Thread(target=ask, args=[n]) for n in range(work["askers"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts, begins, ends = zip(*answers, strict=True)
    rate = sum(counts) / (max(ends) - min(begins))  # the last batches end later than they should
    sys.stdout.write(json.dumps({"rate": rate, "times": times[:100_000]}))
