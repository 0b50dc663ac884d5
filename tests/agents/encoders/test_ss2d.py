"""SS2D equals its equations, route by route, and has as many weights as its authors' module."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from agents.encoders.ss2d import SS2D


def reference(m: SS2D, u: Tensor, mask: Tensor) -> Tensor:
    """Row-major, column-major and both backwards, each its own recurrence."""
    H, W = m.height, m.width
    inner = m.out.in_features
    x, z = (u @ m.inside.weight.t()).split(inner, -1)
    grid = (x * mask.unsqueeze(-1)).view(-1, H, W, inner).permute(0, 3, 1, 2)
    x = F.silu(F.conv2d(grid, m.conv.weight, m.conv.bias, padding=1, groups=inner))
    x = x.permute(0, 2, 3, 1).reshape(-1, H * W, inner)
    rows = list(range(H * W))
    columns = [i * W + j for j in range(W) for i in range(H)]
    scan, total = m.scan, torch.zeros_like(x)
    for k, route in enumerate((rows, columns, rows[::-1], columns[::-1])):
        part = slice(k * inner, (k + 1) * inner)
        A = -scan.log_rate[part].exp()
        for b in range(len(u)):
            h = torch.zeros_like(A)
            for cell in route:
                low, B, C = (scan.read[k] @ x[b, cell]).split([scan.rank, scan.state, scan.state])
                delta = F.softplus(low @ scan.step[k] + scan.step_bias[k])
                if mask[b, cell]:
                    update = (delta * x[b, cell])[:, None] * B
                    h = torch.exp(delta[:, None] * A) * h + update
                total[b, cell] += h @ C + scan.skip[0, k] * x[b, cell]
    out = F.layer_norm(total, (inner,), m.norm.weight, m.norm.bias) * F.silu(z)
    return out @ m.out.weight.t() * mask.unsqueeze(-1)


@pytest.mark.parametrize("expand", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(3, 3), (2, 5)])
def test_values_equal_the_loops(height: int, width: int, expand: int) -> None:
    torch.manual_seed(0)
    m = SS2D(5, height, width, expand, state=3).double()
    u = torch.randn(2, height * width, 5, dtype=torch.float64)
    mask = torch.rand(2, height * width) < 0.7
    with torch.no_grad():
        expected = reference(m, u, mask)
        assert torch.allclose(m(u, mask), expected, rtol=0, atol=1e-10)
        full = torch.ones_like(mask)
        assert torch.allclose(m(u), reference(m, u, full), rtol=0, atol=1e-10)
        rough = m.float()(u.float(), mask).double()
    assert (rough - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("expand", [1, 2])
def test_gradients_equal_the_loops(expand: int) -> None:
    torch.manual_seed(0)
    m = SS2D(3, 2, 3, expand, state=2).double()
    u = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 6) < 0.7
    weight = torch.randn_like(u)
    leaves = dict(m.named_parameters(), u=u)
    gradients = torch.autograd.grad((m(u, mask) * weight).sum(), list(leaves.values()))
    right = torch.autograd.grad((reference(m, u, mask) * weight).sum(), list(leaves.values()))
    for name, a, b in zip(leaves, gradients, right, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10), name


def test_gradcheck() -> None:
    torch.manual_seed(0)
    m = SS2D(3, 2, 3, state=2).double()
    u = torch.randn(1, 6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(m, (u,), fast_mode=True)


@pytest.mark.parametrize(
    ("dim", "expand", "count"),
    [(64, 2, 55_808), (64, 1, 27_904), (96, 2, 105_216), (128, 2, 168_960)],
)
def test_parameters_are_as_many_as_the_authors(dim: int, expand: int, count: int) -> None:
    m = SS2D(dim, 9, 9, expand)
    assert sum(p.numel() for p in m.parameters()) == count
    assert m.scan.rank == math.ceil(dim / 16)
