"""Processes that judge numbers and can be killed at any moment."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from calm.records import Subgoal, Task

SUBGOALS = (Subgoal("even", "The number is even."), Subgoal("ends in seven", "It ends in 7."))
RULES = {"even": (r"number \d*[02468]\.",), "ends in seven": (r"number \d*7\.",)}
TASK = Task("Count-v0", "Count.", SUBGOALS)

NURSERY = """
import json, os, signal, sys
from calm.judges import make_judge
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that are killed are gone at once
subgoals = tuple(Subgoal(*s) for s in json.loads(sys.argv[1]))
def work(url, path, rows, options):
    many = [Transition("Count-v0", {"events": f"The number {i}."}, "") for i in range(rows)]
    with Store(path) as store:
        judge = make_judge("openai:m", base_url=url, store=store,
                           **{"timeout": 30.0, "backoff": 0.05} | options)
        judged = judge.judge(Task("Count-v0", "Count.", subgoals), subgoals, many)
    return {j.verdict.value for j in judged} == {"ok"}
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = work(*json.loads(line))
        finally:
            os.write(1, f"{os.getpid()} {'done' if good else 'wrong'}\\n".encode())
            os._exit(0)
    os.write(1, f"{child} began\\n".encode())
"""


class Nursery:
    """A process that has everything imported and makes others by forking: quick to start."""

    def __init__(self) -> None:
        subgoals = json.dumps([[s.name, s.definition] for s in SUBGOALS])
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, subgoals],
            cwd=root,
            env=os.environ | {"PYTHONPATH": root},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._done: set[int] = set()

    def start(self, url: str, path: Path, rows: int, **options: Any) -> int:
        """The id of a new process that judges that many numbers."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([url, str(path), rows, options]) + "\n")
        self._process.stdin.flush()
        while True:
            number, what = self._line()
            if what == "began":
                return number

    def wait(self, number: int) -> None:
        """Waits until a process says that all its rows are well."""
        while number not in self._done:
            self._line()

    def _line(self) -> tuple[int, str]:
        assert self._process.stdout is not None
        number, what = self._process.stdout.readline().split()
        assert what != "wrong"
        if what == "done":
            self._done.add(int(number))
        return int(number), what

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(240)
        self._process.stdout.close()
