"""Multi-head scan equals the paper's steps as loops over heads, routes and cells."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from agents.encoders.route_attention import Fusion, gate, mean_of
from agents.encoders.route_scan import RouteScan
from agents.encoders.routes import scan_routes
from agents.encoders.scan import GatedScan, MultiHeadScan


def scanned(scan: RouteScan, u: Tensor, group: int, route: list[int], skip: set[int]) -> Tensor:
    """u (cells, size) of one sample and head along one route, back in map order."""
    S, N, R = scan.size, scan.state, scan.rank
    A = -torch.exp(scan.log_rate[group * S : (group + 1) * S])
    D = scan.skip.flatten(0, 1)[group]
    h, y = torch.zeros(S, N, dtype=u.dtype), [torch.zeros(0)] * len(route)
    for cell in route:
        read = scan.read[group] @ u[cell]
        low, B, C = read[:R], read[R : R + N], read[R + N :]
        delta = torch.log1p(torch.exp(low @ scan.step[group] + scan.step_bias[group]))
        if cell not in skip:
            h = torch.exp(delta[:, None] * A) * h + (delta * u[cell])[:, None] * B
        y[cell] = h @ C + D * u[cell]
    return torch.stack(y)


def reference(
    m: MultiHeadScan, x: Tensor, names: str, height: int, width: int, mask: Tensor | None
) -> Tensor:
    routes = scan_routes(height, width)
    S = m.size
    samples = []
    for b, sample in enumerate(x):
        skip = set() if mask is None else {t for t in range(len(sample)) if not mask[b, t]}
        parts = sample @ m.subspaces.weight.t()
        fused = []
        for h, name in enumerate(names):
            first, second = routes[name].tolist()
            u = parts[:, h * S : (h + 1) * S]
            walks = [first, first[::-1], second, second[::-1]]
            ys = [scanned(m.scan, u, 4 * h + k, walk, skip) for k, walk in enumerate(walks)]
            y = torch.stack(ys)
            low = y.min(0).values
            std = torch.sqrt(sum((v - sum(ys) / 4) ** 2 for v in ys) / 3)
            if m.fusion == "cv-relu":
                cv = std / (sum(v - low for v in ys) / 4 + 1e-5)
                gate = (cv - m.threshold).clamp_min(0)
            else:
                floor = 1e-5 + 1e-2 * torch.sqrt(sum(v**2 for v in ys) / 4 + 1e-12)
                cv = std / (sum(v - low for v in ys) / 4 + floor)
                gate = 1 / (1 + torch.exp(m.threshold - cv))
            fused.append(sum(ys) * gate)
        z = torch.cat(fused, 1)
        mean = z.mean(1, keepdim=True)
        z = (z - mean) / torch.sqrt(((z - mean) ** 2).mean(1, keepdim=True) + 1e-5)
        out = (z * m.norm.weight + m.norm.bias) @ m.out.weight.t()
        alive = [float(t not in skip) for t in range(len(sample))]
        samples.append(out * torch.tensor(alive, dtype=out.dtype).unsqueeze(1))
    return torch.stack(samples)


def randomised(*args: object, **options: object) -> MultiHeadScan:
    torch.manual_seed(0)
    m = MultiHeadScan(*args, **options).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for p in m.parameters():
            p += 0.3 * torch.randn_like(p)
    return m


def worst(actual: Tensor, expected: Tensor) -> float:
    scale = max(expected.detach().abs().max().item(), 1e-30)
    return (actual.detach().double() - expected.detach()).abs().max().item() / scale


CASES: dict[str, tuple[int, int, int, str, int, Fusion, float, bool]] = {
    # dim, height, width, routes, state, fusion, threshold, masked
    "all four on a wide map": (8, 3, 5, "CXSZ", 3, "cv-relu", 0.5, False),
    "three on a square, 7 channels": (7, 3, 3, "CXS", 2, "cv-relu", 0.4, True),
    "sigmoid, tall, masked": (6, 5, 2, "XS", 5, "sigmoid", 0.5, True),
    "sigmoid, one head twice the pattern": (6, 2, 3, "ZZ", 3, "sigmoid", 0.0, False),
    "a threshold that silences": (4, 3, 2, "SC", 2, "cv-relu", 1.0, False),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_the_loops(case: str) -> None:
    dim, height, width, names, state, fusion, threshold, masked = CASES[case]
    m = randomised(dim, height, width, tuple(names), state, fusion, threshold)
    x = torch.randn(2, height * width, dim, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, height * width) < 0.7 if masked else None
    y, expected = m(x, mask), reference(m, x, names, height, width, mask)
    assert worst(y, expected) < 1e-10
    weight = torch.randn_like(y)
    leaves = dict(m.named_parameters(), x=x)
    actual = torch.autograd.grad((y * weight).sum(), list(leaves.values()))
    right = torch.autograd.grad((expected * weight).sum(), list(leaves.values()))
    for name, a, b in zip(leaves, actual, right, strict=True):
        assert worst(a, b) < 1e-10, name
    rough = m.float()(x.detach().float(), mask)
    assert worst(rough, expected) < 3e-5  # a LayerNorm of few channels magnifies


def test_parameters_are_as_many_as_the_authors() -> None:
    def count(m: torch.nn.Module) -> int:
        return sum(p.numel() for p in m.parameters())

    assert count(MultiHeadScan(64, 9, 9)) == 21_632
    # Their block, without its outer norm: plus the last Linear that their code leaves out.
    assert count(GatedScan(64, 9, 9)) == 30_592 + 64 * 64 + 64
    assert count(GatedScan(96, 9, 9)) == 58_944 + 96 * 96 + 96
    assert count(GatedScan(128, 9, 9)) == 94_976 + 128 * 128 + 128


def test_steps_and_rates_start_as_the_authors() -> None:
    torch.manual_seed(0)
    scan = MultiHeadScan(64, 3, 3, state=5).scan
    assert torch.allclose(scan.log_rate.exp(), torch.arange(1.0, 6).expand(256, 5))
    delta = F.softplus(scan.step_bias)
    assert delta.min() >= 0.99e-3
    assert delta.max() <= 0.101
    assert abs(delta.log().mean().item() - torch.tensor([1e-3, 1e-1]).log().mean().item()) < 0.2
    assert (scan.skip == 1).all()


def gate_of(mechanism: MultiHeadScan, y: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """Returns the gate of results y (batch, cells, heads, 4, size)."""
    routes = y.unbind(3)
    fusion, threshold = mechanism.fusion, mechanism.threshold
    return gate(routes, mean_of(routes), shared, fusion, threshold)


@pytest.mark.parametrize(
    ("routes", "cv"), [((0, 1, 1, 1), 2 / 3), ((0, 0, 0, 1), 2.0), ((0, 1, 2, 3), 0.8607)]
)
def test_the_gate_by_hand(routes: tuple[int, ...], cv: float) -> None:
    """cv of four numbers; unmoved by a shift, and by a scale but for the floor of 1e-5."""
    m = MultiHeadScan(4, 2, 2, threshold=0.25)
    y = torch.tensor(routes, dtype=torch.float64).view(1, 1, 1, 4, 1)
    for moved in (y, y + 7, 1e3 * y):
        assert gate_of(m, moved, torch.zeros(1)).item() == pytest.approx(cv - 0.25, abs=1e-4)


def test_routes_that_agree_are_silent_and_have_no_gradient() -> None:
    m = MultiHeadScan(4, 2, 2, threshold=0.0)
    y = torch.full((1, 1, 1, 4, 1), 3.0, requires_grad=True)
    gate = gate_of(m, y, torch.zeros(1))
    gate.backward()
    assert gate.item() == 0
    assert y.grad is not None
    assert y.grad.tolist() == torch.zeros_like(y).tolist()


def test_nearly_equal_routes_explode_only_the_papers_gate() -> None:
    """Differences of a millionth: slopes of 10⁴ and more under ReLU, of order 1 under sigmoid."""
    y = (1 + 1e-6 * torch.tensor([0.0, 1, 2, 3], dtype=torch.float64)).view(1, 1, 1, 4, 1)
    slopes = {}
    for fusion in ("cv-relu", "sigmoid"):
        m = MultiHeadScan(4, 2, 2, fusion=fusion, threshold=0.0)
        z = y.clone().requires_grad_()
        gate_of(m, z - 1, torch.ones(1, 1, 1, 1)).backward()
        assert z.grad is not None
        slopes[fusion] = z.grad.abs().max().item()
    assert slopes["cv-relu"] > 1e4
    assert slopes["sigmoid"] < 50


def test_a_threshold_below_two_thirds_silences_nothing() -> None:
    torch.manual_seed(0)
    y = torch.randn(7, 50, 2, 4, 3)
    assert (gate_of(MultiHeadScan(4, 2, 2, threshold=0.66), y, y[..., 0, :]) > 0).all()
    silent = (
        (gate_of(MultiHeadScan(4, 2, 2, threshold=1.0), y, y[..., 0, :]) == 0).float().mean().item()
    )
    assert 0.6 < silent < 0.75  # 67 % of normal numbers


def test_each_route_sees_only_what_it_has_passed() -> None:
    torch.manual_seed(0)
    routes = torch.stack([r for pair in scan_routes(3, 5).values() for r in pair]).unsqueeze(0)
    scan = RouteScan(routes, 2, 3).double()
    x = torch.randn(1, 15, 1, 2, dtype=torch.float64)
    before = scan(x)
    for k, route in enumerate(routes[0].tolist()):
        moved = x.clone()
        moved[:, route[7]] += 1
        changed = (scan(moved) - before)[0, :, 0, k].abs().sum(-1) > 0
        assert not any(changed[cell] for cell in route[:7])
        assert all(changed[cell] for cell in route[7:])


def test_a_map_of_one_value_has_finite_gradients() -> None:
    for fusion in ("cv-relu", "sigmoid"):
        m = MultiHeadScan(8, 5, 7, state=3, fusion=fusion)
        x = torch.zeros(2, 35, 8, requires_grad=True)
        m(x).sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in m.parameters())


def test_the_block_equals_its_parts() -> None:
    """Figure 1: in, split, convolve, scan, gate, out."""
    torch.manual_seed(0)
    m = GatedScan(6, 3, 5, routes=("C", "S"), state=2).double()
    u, mask = torch.randn(2, 15, 6, dtype=torch.float64), torch.rand(2, 15) < 0.6
    both = u @ m.inside.weight.t()
    x, z = both[..., :6] * mask.unsqueeze(-1), both[..., 6:]
    convolved = torch.zeros_like(x)
    for i in range(3):
        for j in range(5):
            total = m.conv.bias
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if 0 <= i + di < 3 and 0 <= j + dj < 5:
                        weight = m.conv.weight[:, 0, di + 1, dj + 1]
                        total = total + weight * x[:, (i + di) * 5 + j + dj]
            convolved[:, i * 5 + j] = total / (1 + torch.exp(-total))
    y = reference(m.mix, convolved, "CS", 3, 5, mask)
    y = F.layer_norm(y, (6,), m.norm.weight, m.norm.bias) * z / (1 + torch.exp(-z))
    expected = (y @ m.out.weight.t() + m.out.bias) * mask.unsqueeze(-1)
    assert torch.allclose(m(u, mask), expected, rtol=0, atol=1e-10)


def test_route_weights_are_of_each_head_and_zero_where_void() -> None:
    m = MultiHeadScan(8, 3, 5, state=2)
    x, mask = torch.randn(2, 15, 8), torch.rand(2, 15) < 0.5
    weights = m.route_weights(x, mask)
    assert weights.shape == (2, 15, 4)
    assert (weights[~mask] == 0).all()
    assert (weights[mask] > 0).all()
    assert torch.allclose(m.attention_map(x, mask), weights.mean(-1))


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="not 'max'"):
        MultiHeadScan(8, 3, 3, fusion="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="C, X, S, Z, not Q"):
        MultiHeadScan(8, 3, 3, routes=("C", "Q"))
