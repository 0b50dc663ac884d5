"""Where time goes: products of matrices are told from other operations, and from other code."""

import time

import torch

from agents.bench.time_shares import time_spent


def test_kinds_of_work_are_told_apart() -> None:
    a = torch.rand(600, 600)

    def multiply() -> None:
        for _ in range(20):
            a @ a

    def add() -> None:
        for _ in range(200):
            a + a

    def wait() -> None:
        time.sleep(0.2)

    for work, kind in ((multiply, "products"), (add, "torch, other"), (wait, "outside torch")):
        work()
        seconds = time_spent(work)
        assert list(seconds) == ["products", "torch, other", "outside torch"]
        assert max(seconds, key=seconds.__getitem__) == kind
        assert min(seconds.values()) >= 0
