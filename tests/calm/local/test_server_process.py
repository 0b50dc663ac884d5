"""The process that holds the weights is gone when whoever started it is."""

import subprocess
import sys

from tests.support.standin import eventually, running

CHILD = """
import sys, time
from calm.local.server_process import die_with_parent
die_with_parent()
print("up", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
quiet = subprocess.DEVNULL
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=quiet)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_with_its_standard_input() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "up\n"
        child.stdin.close()
        assert child.wait(60) == 0


def test_it_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert eventually(lambda: not running(pid))
