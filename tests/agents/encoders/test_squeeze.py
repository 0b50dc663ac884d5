"""Squeeze-and-excitation equals its equations as loops."""

import pytest
import torch

from agents.encoders.squeeze import SqueezeExcitation


@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_equal_the_loops(masked: bool) -> None:
    torch.manual_seed(0)
    m = SqueezeExcitation(5, reduction=2).double()
    x = torch.randn(3, 7, 5, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(3, 7) < 0.6 if masked else torch.ones(3, 7, dtype=torch.bool)
    first, _, second = m.gate
    samples = []
    for b in range(3):
        valid = [t for t in range(7) if mask[b, t]]
        mean = sum(x[b, t] for t in valid) / len(valid)
        hidden = (first.weight @ mean + first.bias).clamp_min(0)
        gate = 1 / (1 + torch.exp(-(second.weight @ hidden + second.bias)))
        samples.append(torch.stack([x[b, t] * gate * mask[b, t] for t in range(7)]))
    y, expected = m(x, mask if masked else None), torch.stack(samples)
    assert torch.allclose(y, expected, rtol=0, atol=1e-13)
    leaves = [*m.parameters(), x]
    for a, b in zip(
        torch.autograd.grad(y.square().sum(), leaves),
        torch.autograd.grad(expected.square().sum(), leaves),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)
    assert torch.allclose(m.float()(x.detach().float(), mask), expected.float(), atol=1e-5)


def test_hidden_width_is_a_sixteenth_and_never_nothing() -> None:
    assert sum(p.numel() for p in SqueezeExcitation(64).parameters()) == 64 * 4 + 4 + 4 * 64 + 64
    assert SqueezeExcitation(5)(torch.randn(1, 2, 5)).shape == (1, 2, 5)
