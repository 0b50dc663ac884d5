"""Sets of generated rows of any number, written block by block; and what a command needs of them.

python -m tests.support.large_set 1000000 FILE      writes a set
python -m tests.support.large_set memory COMMAND    runs `calm COMMAND`, prints its peak in MiB
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from calm.records import LabelledTransition, Subgoal, Task, Transition
from data.parquet import task_dict
from data.schema import TRANSITIONS, transition_row

KEY = Subgoal("take the key", "The key is carried after the step.")
TASK = Task("A", "Find the stairs.", (KEY,))
BLOCK = 10_000


def write_large_set(path: Path, rows: int) -> None:
    """Writes rows of episodes of a hundred steps, whose texts all differ, as one file."""
    about = {"table": "transitions", "schema": "1", "tasks": json.dumps({"A": task_dict(TASK)})}
    schema = TRANSITIONS.with_metadata({f"calm.{name}": value for name, value in about.items()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, rows, BLOCK):
            block = [_row(i) for i in range(first, min(rows, first + BLOCK))]
            writer.write_table(pa.Table.from_pylist(block, schema=schema))


def _row(i: int) -> dict[str, object]:
    text = f"Action: north.\nThe hero has moved {i} times in a room of {i % 97} by {i % 89}."
    transition = Transition("A", {"events": text}, "north", f"e{i // 100}", i % 100)
    return transition_row(LabelledTransition(transition, {KEY.name: i % 5 == 0}))


def peak_memory(*command: object) -> float:
    """Runs `calm` with arguments in a process of its own; the most memory it had, in MiB."""
    words = [sys.executable, "-m", "calm", *map(str, command)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{words} ended with {process.returncode}"
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1] == "memory":
        sys.stdout.write(f"{peak_memory(*sys.argv[2:]):.0f}\n")
    else:
        write_large_set(Path(sys.argv[2]), int(sys.argv[1]))
