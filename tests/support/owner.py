"""Another process that owns a folder, as one that trains in it does."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import line, python

HOLD = """
import sys
from pathlib import Path
from agents.training.run.lock import owned
with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def owning_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that owns the folder until it reads a line, or is killed at the block's end."""
    with python("-c", HOLD, folder, stdin=subprocess.PIPE) as process:
        assert line(process) == "owned"
        yield process
