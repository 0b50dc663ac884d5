"""The scan by doubling equals the one that steps along, and its decays may vanish."""

import pytest
import torch

from agents.encoders.routes import scan_routes
from agents.encoders.selective_scan import autograd, doubling


@pytest.mark.parametrize("cells", [1, 2, 3, 8, 35])
def test_it_equals_the_scan(cells: int) -> None:
    torch.manual_seed(0)
    u = torch.randn(2, cells, 2, 3, dtype=torch.float64)
    delta = torch.rand(2, cells, 2, 4, 3, dtype=torch.float64)
    A = -torch.rand(2, 4, 3, 5, dtype=torch.float64)
    B, C = torch.randn(2, 2, cells, 2, 4, 5, dtype=torch.float64)
    expected = autograd.scan_map(u, delta, A, B, C)
    assert torch.allclose(doubling.scan_map(u, delta, A, B, C), expected, rtol=1e-12, atol=1e-13)


def test_it_follows_routes() -> None:
    torch.manual_seed(0)
    routes = torch.stack(list(scan_routes(3, 5).values()))  # four heads of two routes
    back = routes.argsort(-1)
    u = torch.randn(2, 15, 4, 3, dtype=torch.float64)
    delta = torch.rand(2, 15, 4, 2, 3, dtype=torch.float64)
    A = -torch.rand(4, 2, 3, 5, dtype=torch.float64)
    B, C = torch.randn(2, 2, 15, 4, 2, 5, dtype=torch.float64)
    expected = autograd.scan_map(u, delta, A, B, C, routes, back)
    y = doubling.scan_map(u, delta, A, B, C, routes, back)
    assert torch.allclose(y, expected, rtol=1e-12, atol=1e-13)


def test_by_hand_with_decays_beyond_float32() -> None:
    """Steps of 1 at A = -200: each state is forgotten at once, y_t = B u_t = u_t."""
    u = torch.arange(1.0, 8).view(1, 7, 1, 1)
    ones = torch.ones(1, 7, 1, 1, 1)
    y = doubling.scan_map(u, ones, torch.full((1, 1, 1, 1), -200.0), ones, ones)
    assert y.flatten().tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_by_hand_without_decay() -> None:
    """A = 0 and steps of 1: running sums."""
    u = torch.arange(1.0, 6).view(1, 5, 1, 1)
    ones = torch.ones(1, 5, 1, 1, 1)
    y = doubling.scan_map(u, ones, torch.zeros(1, 1, 1, 1), ones, ones)
    assert y.flatten().tolist() == [1, 3, 6, 10, 15]
