"""A task about soup, a store that knows three answers about it, and `calm` run there."""

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from calm.cli.main import main
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store

TASK_FILE = """
id: Kitchen-v0
goal: Serve the soup.
actions: [go north, take, pour]
subgoals:
  - {name: take the ladle, definition: The ladle enters the hand.}
  - {name: pour the soup, definition: Soup enters the bowl.}
"""
TASK = Task(
    "Kitchen-v0",
    "Serve the soup.",
    (
        Subgoal("take the ladle", "The ladle enters the hand."),
        Subgoal("pour the soup", "Soup enters the bowl."),
    ),
    ("go north", "take", "pour"),
)
RULES = {"take the ladle": ("ladle enters",), "pour the soup": ("soup enters",)}


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def calm(*args: object, cwd: Path, encoding: str = "utf-8") -> Done:
    """Runs the command in this process, as `python -m calm` would on a terminal of an encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    code = 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["calm", *map(str, args)])
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    printed = []
    for stream in (out, err):
        stream.seek(0)
        printed.append(stream.read())
    return Done(code, *printed)


def make_kitchen(tmp_path: Path) -> Path:
    """Returns the folder with a task file, and a store with three answers of which one is prose."""
    (tmp_path / "task.yaml").write_text(TASK_FILE)
    texts = ["The ladle enters the hand.", "The soup enters the bowl.", "It rains."]
    with (
        Loopback(RULES, script=["500", "prose"]) as server,
        Store(tmp_path / "calm.sqlite") as store,
    ):
        judge = make_judge("openai:m", base_url=server.url, store=store, concurrency=1)
        many = [Transition("Kitchen-v0", {"events": t}, "") for t in texts]
        judge.judge(TASK, TASK.subgoals, many)
    return tmp_path
