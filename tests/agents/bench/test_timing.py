"""Turns are taken, and what lives at once is counted."""

import torch

from agents.bench import timing


def test_turns_are_taken_and_slow_ones_have_fewer() -> None:
    order: list[str] = []
    runs = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    timings = timing.measure(runs, "cpu", 5)
    assert "".join(order) == "ab" + 5 * "ab"
    assert timings["a"].least <= timings["a"].median <= timings["a"].most
    order.clear()
    timing.measure(runs, "cpu", 5, seconds=0)
    assert "".join(order) == "ab" + 3 * "ab"


def test_peak_memory_counts_what_lives_at_once() -> None:
    def go() -> None:
        for _ in range(3):
            first = torch.ones(1000)
            second = first + 1
            del first, second

    assert 8000 <= timing.peak_memory(go, "cpu") < 9000
