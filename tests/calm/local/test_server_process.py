"""The process that holds the weights is gone when whoever started it is."""

import subprocess

from tests.support.processes import eventually, line, python, running

CHILD = """
import time
from calm.local.server_process import die_with_parent
die_with_parent()
print("up", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=pipe, stdout=quiet)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_with_its_standard_input() -> None:
    with python("-c", CHILD, stdin=subprocess.PIPE) as child:
        assert line(child) == "up"
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(240) == 0


def test_it_ends_with_a_parent_that_is_killed() -> None:
    with python("-c", PARENT, CHILD) as parent:
        pid = int(line(parent))
        parent.kill()
        assert eventually(lambda: not running(pid))
