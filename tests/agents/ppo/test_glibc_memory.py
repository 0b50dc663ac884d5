"""Kept memory is not fetched again."""

import resource
import subprocess
import sys

import pytest

from agents.ppo.glibc_memory import keep_memory

CODE = """
import resource, sys, torch
from agents.ppo.glibc_memory import keep_memory
if len(sys.argv) > 1 and not keep_memory():
    raise SystemExit("no")
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):  # aligned blocks leave small gaps, so that it takes some to settle
    torch.ones(1 << 21)
before = faults()
for _ in range(5):
    torch.ones(1 << 21)
print(faults() - before)
"""


@pytest.mark.skipif(not keep_memory(), reason="not glibc")
def test_what_is_freed_is_used_again() -> None:
    def faults(*words: str) -> int:
        command = [sys.executable, "-c", CODE, *words]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    page = resource.getpagesize()
    assert faults("keep") < (4 << 21) // page  # not one block of five
