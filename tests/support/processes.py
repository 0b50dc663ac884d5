"""Other processes that a test starts: none outlives it, and each line they print is read whole."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextmanager
def python(
    *arguments: object, env: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Runs Python with this repository on its path, until the block's end at the latest.

    Args:
        arguments: of Python, such as `-m calm`.
        env: variables that it has beside those of this process.
        options: of `subprocess.Popen`; its output is a pipe unless they say otherwise.
    """
    options = {"stdout": subprocess.PIPE, "text": True} | options
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(env or {}),
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str], error: bool = False) -> str:
    """The next whole line that a process prints, or says on its error output, without its end."""
    pipe = process.stderr if error else process.stdout
    assert pipe is not None
    text = pipe.readline()
    assert text.endswith("\n"), f"it ended with {process.wait()} after {text!r}"
    return text[:-1]


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(true: Callable[[], bool], seconds: float = 240) -> bool:
    """Whether something becomes true, by and by."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()
