"""Signals that stop a process, wherever Python is when they come."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_forked_child_ends_by_sigterm_in_silence_and_leaves_the_parent(tmp_path: Path) -> None:
    code = """
import os, signal
from calm.interrupts import treat_sigterm_as_ctrl_c
treat_sigterm_as_ctrl_c([])
ends = set()
for _ in range(50):  # at once after the fork, so at many moments
    child = os.fork()
    if not child:
        while True:
            signal.pause()
    os.kill(child, signal.SIGTERM)
    os.kill(child, signal.SIGTERM)
    ends.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(ends)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{-15}\n", "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("ignored", [False, True])
def test_an_interrupt_in_a_destructor_is_raised_again(
    name: str, ignored: bool, tmp_path: Path
) -> None:
    """Python alone prints and drops it, and the loop would run to its end."""
    code = f"""
import signal, time
from calm.interrupts import raise_swallowed_again, treat_sigterm_as_ctrl_c

class Gone:
    def __del__(self):
        signal.raise_signal(signal.{name})

signals = []
if {ignored}:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script's background commands have it
treat_sigterm_as_ctrl_c(signals)
raise_swallowed_again()
try:
    Gone()
    for _ in range(100):
        time.sleep(0.02)
    print("ran on")
except KeyboardInterrupt:
    print("interrupted", *signals)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    expected = {
        ("SIGINT", False): "interrupted",
        ("SIGINT", True): "ran on",
        ("SIGTERM", False): f"interrupted {signal.SIGTERM.value}",
        ("SIGTERM", True): f"interrupted {signal.SIGTERM.value}",
    }
    assert (done.returncode, done.stdout, done.stderr) == (0, expected[name, ignored] + "\n", "")


def test_what_else_is_raised_in_a_destructor_is_told_as_before(tmp_path: Path) -> None:
    code = """
from calm.interrupts import raise_swallowed_again

class Gone:
    def __del__(self):
        raise ValueError("a fault of its own")

raise_swallowed_again()
Gone()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "ValueError: a fault of its own" in done.stderr
