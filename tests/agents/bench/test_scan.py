"""Rivals compute the same scan, and what is called right is."""

import math

import pytest
import torch

from agents.bench import scan as bench
from agents.bench.timing import Timing
from agents.encoders.selective_scan import scan_map, selective_scan


def test_rivals_compute_the_same_scan() -> None:
    left_out: list[str] = []
    rows = bench.scans(7, "cpu", 1, left_out)
    errors = [row["error"] for row in rows if "error" in row]
    assert len(errors) >= 3
    assert max(errors) < 1e-5
    assert {row["tokens"] for row in rows} == {7}


def test_what_is_not_measured_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_has_associative_scan", lambda: False)
    monkeypatch.setattr(bench, "INDEXING_AT_MOST", 5)
    monkeypatch.setattr(bench, "measure", lambda runs, *_: {name: Timing(1, 1, 1) for name in runs})
    monkeypatch.setattr(bench, "peak_memory", lambda *_: 0)
    left_out: list[str] = []
    for length in (3, 7):
        bench.scans(length, "cpu", 1, left_out, ("indexing loop", "associative_scan"))
    assert left_out == [
        "associative_scan: not in this torch",
        "indexing loop at length 7: its backward is quadratic in length",
    ]


def test_the_recurrence_by_hand() -> None:
    """Two steps that halve a state of 2: h = 3, then 3/2 + 5 = 6.5; and y = C h."""
    half = torch.full((1, 2, 1), math.log(2.0))
    u = torch.tensor([3.0, 5.0]).view(1, 2, 1) / half
    A, B = -torch.ones(1, 1), torch.ones(1, 2, 1)
    y = bench.recurrence(u, half, A, B, torch.tensor([1.0, 10.0]).view(1, 2, 1))
    assert y.flatten().tolist() == pytest.approx([3.0, 65.0])


def test_the_recurrence_is_the_scan() -> None:
    args = [x.double() for x in bench._arguments(7)]
    u, delta, A, B, C = args
    y = selective_scan(*(x.transpose(1, 2) for x in (u, delta)), A, *(x.mT for x in (B, C)))
    assert torch.allclose(bench.recurrence(*args), y.mT, rtol=1e-10, atol=1e-12)


def test_the_recurrence_along_routes_is_the_scan_of_a_map() -> None:
    order = torch.stack([torch.randperm(6) for _ in range(4)]).view(2, 2, 6)
    args = [x.double() for x in bench._routed_arguments(order)]
    y = bench._recurrence_along(order, *args)
    assert torch.allclose(y, scan_map(*args, order, order.argsort(-1)), rtol=1e-10, atol=1e-12)
    assert (args[1] == 0).any()  # masked cells


def test_a_difference_is_of_the_largest_value() -> None:
    exact = torch.tensor([4.0, -8.0])
    assert bench.difference(torch.tensor([4.0, -6.0]), exact) == 0.25
    assert math.isnan(bench.difference(torch.tensor([math.nan, -8.0]), exact))
