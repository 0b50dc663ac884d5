"""All three forms equal their formulas as loops, and are stable where the published code is not."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agents.encoders.gaussian import FLOOR, Form, GaussianAdaptiveAttention

FORMS: tuple[Form, ...] = ("gate", "softmax", "mixture")


def softplus(x: Tensor) -> Tensor:
    return torch.log1p(torch.exp(x))


def weights(m: GaussianAdaptiveAttention, x: Tensor, mask: Tensor | None) -> list[list[Tensor]]:
    """weights[b][t] (dim,) or (1,), one head, feature and token after another."""
    batch, tokens, _ = x.shape
    each = tokens // m.heads
    table = []
    for b in range(batch):
        row: list[Tensor] = []
        for h in range(m.heads):
            end = (h + 1) * each if h < m.heads - 1 else tokens
            mine = range(h * each, end)
            valid = [t for t in mine if mask is None or mask[b, t]]
            y = {t: m.project(x[b, t]) if m.form == "mixture" else x[b, t] for t in mine}
            mean = sum(y[t] for t in valid) / max(len(valid), 1)
            squares = sum((y[t] - mean) ** 2 for t in valid)
            if m.form == "gate":
                variance = squares / max(len(valid), 1) + 1e-8
                xi = softplus(m.raw_width[h]) + FLOOR
                for t in mine:
                    z = (y[t] - (mean + m.offset[h])) / torch.sqrt(variance + 1e-5)
                    row.append(torch.exp(-(z**2) / (2 * xi)))
            elif m.form == "softmax":
                variance = squares / max(len(valid) - 1, 1) + 1e-8
                c = torch.exp(m.raw_width[h]) + FLOOR
                density = {}
                for t in mine:
                    log = sum(
                        -((y[t] - mean - m.offset[h, k]) ** 2) / (2 * c[k] ** 2 * variance)
                        for k in range(len(c))
                    )
                    density[t] = torch.exp(log)
                total = sum(density[t] for t in (valid or mine))
                row += [density[t] / total for t in mine]
            else:
                sigma = torch.sqrt((squares / max(len(valid), 1) + 0 * y[mine[0]]).clamp_min(1e-6))
                s = softplus(m.raw_width[h]) + FLOOR
                for t in mine:
                    densities = [
                        torch.exp(
                            -0.5 * ((y[t] - mean - m.offset[h, k]) / (sigma * s[k] + 1e-8)) ** 2
                        )
                        / (s[k] * math.sqrt(2 * math.pi))
                        for k in range(len(s))
                    ]
                    row.append(sum(densities) / len(s))
        table.append(row)
    return table


def reference(m: GaussianAdaptiveAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    table = weights(m, x, mask)
    batch, tokens, _ = x.shape
    each = tokens // m.heads
    out = []
    for b in range(batch):
        for t in range(tokens):
            h = min(t // each, m.heads - 1)
            mine = range(h * each, (h + 1) * each if h < m.heads - 1 else tokens)
            count = sum(mask is None or bool(mask[b, s]) for s in mine)
            w = table[b][t]
            if m.form == "mixture":
                w = 1 + m.strength * w
            elif m.form == "softmax" and m.rescale:
                w = w * count
            out.append(x[b, t] * w * (mask is None or bool(mask[b, t])))
    return torch.stack(out).view_as(x)


def randomised(form: Form, dim: int = 3, **options: int | bool) -> GaussianAdaptiveAttention:
    torch.manual_seed(0)
    m = GaussianAdaptiveAttention(dim, form=form, **options).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for p in m.parameters():
            p += 0.2 * torch.randn_like(p)
    return m


def worst(actual: Tensor, expected: Tensor) -> float:
    scale = max(expected.detach().abs().max().item(), 1e-30)
    return (actual.detach().double() - expected.detach()).abs().max().item() / scale


OPTIONS: list[tuple[Form, dict[str, int | bool]]] = [
    ("gate", {}),
    ("gate", {"heads": 3}),
    ("softmax", {}),
    ("softmax", {"heads": 3, "gaussians": 2}),
    ("softmax", {"gaussians": 1, "rescale": False}),
    ("mixture", {}),
    ("mixture", {"heads": 2, "gaussians": 3}),
    ("mixture", {"gaussians": 1}),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("form", "options"), OPTIONS)
def test_values_and_gradients_equal_the_loops(
    form: Form, options: dict[str, int | bool], masked: bool
) -> None:
    m = randomised(form, **options)
    x = torch.randn(2, 11, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 11) < 0.7 if masked else None
    y, expected = m(x, mask), reference(m, x, mask)
    assert worst(y, expected) < 1e-10
    weight = torch.randn_like(y)
    leaves = dict(m.named_parameters(), x=x)
    actual = torch.autograd.grad((y * weight).sum(), list(leaves.values()))
    right = torch.autograd.grad((expected * weight).sum(), list(leaves.values()))
    for name, a, b in zip(leaves, actual, right, strict=True):
        if b.abs().max() < 1e-12:  # a shift of the projection moves nothing
            assert a.abs().max() < 1e-12, name
        else:
            assert worst(a, b) < 1e-10, name
    assert worst(m.float()(x.detach().float(), mask), expected) < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_gradcheck(form: Form) -> None:
    m = randomised(form, heads=2)
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 1, 0, 1, 1], [1, 0, 0, 1, 1]], dtype=torch.bool)
    assert torch.autograd.gradcheck(m, (x,), fast_mode=True)
    assert torch.autograd.gradcheck(m, (x, mask), fast_mode=True)


def test_the_gate_starts_where_the_papers_does() -> None:
    """δ = 0, ξ = 2: for Gaussian data the mean gate is 1 / sqrt(1 + 1 / 2) = 0.8165."""
    torch.manual_seed(0)
    m = GaussianAdaptiveAttention(5)
    assert torch.allclose(torch.nn.functional.softplus(m.raw_width) + FLOOR, torch.tensor(2.0))
    gate = m.attention(torch.randn(7, 2000, 5))
    assert abs(gate.mean().item() - 1.5**-0.5) < 5e-3
    assert gate.max() <= 1


def test_parameters_are_as_many_as_the_papers() -> None:
    count = {form: GaussianAdaptiveAttention(64, 8, form, 5) for form in FORMS}
    sizes = {f: sum(p.numel() for p in m.parameters()) for f, m in count.items()}
    assert sizes == {"gate": 2 * 8 * 64, "softmax": 2 * 8 * 5, "mixture": 2 * 8 * 5 + 64 + 1 + 1}


def test_many_gaussians_multiplied_are_one() -> None:
    """K of widths c_k and offsets δ_k weigh as one of precision Σ 1/c² about their mean."""
    many = randomised("softmax", gaussians=5)
    one = randomised("softmax", gaussians=1)
    with torch.no_grad():
        p = (many.raw_width.exp() + FLOOR).pow(-2)
        one.raw_width.copy_((p.sum(1, keepdim=True).rsqrt() - FLOOR).log())
        one.offset.copy_((p * many.offset).sum(1, keepdim=True) / p.sum(1, keepdim=True))
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    assert torch.allclose(many(x), one(x), rtol=0, atol=1e-12)


def test_softmax_starts_at_a_total_precision_of_one() -> None:
    m = GaussianAdaptiveAttention(3, heads=2, form="softmax", gaussians=4)
    assert torch.allclose((m.raw_width.exp() + FLOOR).pow(-2).sum(1), torch.ones(2), rtol=1e-4)


@pytest.mark.parametrize("form", ["gate", "softmax"])
@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.5, 1e3))
def test_shift_and_scale_of_the_data_leave_the_weights(
    form: Form, shift: float, scale: float
) -> None:
    m, scaled = randomised(form), randomised(form)
    with torch.no_grad():
        scaled.offset.mul_(scale)
    x = 10 * torch.randn(2, 11, 3, dtype=torch.float64)
    w = m.attention(x)
    assert torch.allclose(m.attention(x + shift), w, rtol=1e-9)
    assert torch.allclose(scaled.attention(x * scale), w, rtol=1e-4)  # up to the floor of σ²


@pytest.mark.parametrize("form", FORMS)
def test_values_far_from_zero_keep_their_variance(form: Form) -> None:
    """3000 ± 1 in float32, as of a turn counter: E[x²] - E[x]² would be noise."""
    m = GaussianAdaptiveAttention(2, form=form)
    torch.manual_seed(0)
    x = 3000 + torch.randn(3, 50, 2)
    near = m.attention((x.double() - 3000).float())
    if form != "mixture":  # whose projection rounds far values before any statistics
        assert torch.allclose(m.attention(x), near, rtol=1e-3, atol=1e-6)
    assert m.attention(x).isfinite().all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [0.0, 1.0, -3000.0])
def test_a_map_of_one_value_has_finite_output_and_gradient(form: Form, value: float) -> None:
    m = GaussianAdaptiveAttention(3, form=form)
    x = torch.full((2, 7, 3), value, requires_grad=True)
    y = m(x)
    y.sum().backward()
    grads = [x.grad] + [p.grad for p in m.parameters()]
    assert y.isfinite().all()
    assert all(g is not None and g.isfinite().all() for g in grads)
    if form == "softmax":
        assert torch.allclose(m.attention(x), torch.tensor(1 / 7))


@pytest.mark.parametrize("form", FORMS)
def test_one_token_alone_is_finite(form: Form) -> None:
    assert GaussianAdaptiveAttention(3, form=form)(torch.randn(2, 1, 3)).isfinite().all()


def test_narrow_gaussians_far_apart_still_share_out_all_weight() -> None:
    """K = 8 of width 0.1 with spread offsets: a product of densities would underflow to 0."""
    m = GaussianAdaptiveAttention(3, form="softmax", gaussians=8)
    with torch.no_grad():
        m.raw_width.fill_(math.log(0.1))
        m.offset.copy_(torch.linspace(-3, 3, 8))
    total = m.attention(torch.randn(5, 11, 3)).sum(1)
    assert torch.allclose(total, torch.ones_like(total), rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_padding_changes_nothing(form: Form) -> None:
    m = randomised(form)
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    padded = torch.cat([x, 1e3 * torch.randn(2, 5, 3, dtype=torch.float64)], 1)
    mask = torch.arange(12).expand(2, -1) < 7
    y = m(padded, mask)
    assert torch.allclose(y[:, :7], m(x), rtol=1e-12, atol=1e-14)
    assert (y[:, 7:] == 0).all()


def test_components_of_a_mixture_learn_apart() -> None:
    m = GaussianAdaptiveAttention(3, form="mixture", gaussians=4)
    m(torch.randn(2, 11, 3)).square().sum().backward()
    assert m.offset.grad is not None
    assert len(set(m.offset.grad.flatten().tolist())) == 4


def test_unmasked_it_gates_away_what_is_rare() -> None:
    """Why the mask matters: 98 % of blank cells make everything else untypical."""
    torch.manual_seed(0)
    x = torch.zeros(1, 1659, 4)
    x[:, :25] = torch.randn(1, 25, 4) + 3
    gate = GaussianAdaptiveAttention(4).attention(x)
    assert gate[:, 25:].mean() > 0.99
    assert gate[:, :25].mean() < 0.3
    mask = torch.arange(1659).unsqueeze(0) < 25
    assert GaussianAdaptiveAttention(4).attention(x, mask)[:, :25].mean() > 0.7


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="not 'product'"):
        GaussianAdaptiveAttention(3, form="product")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 tokens cannot be divided among 3 heads"):
        GaussianAdaptiveAttention(3, heads=3)(torch.randn(1, 2, 3))
