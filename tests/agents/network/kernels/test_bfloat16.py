"""Layers in bfloat16: torch's numbers to its rounding, weights that stay float32."""

import copy

import pytest
import torch
from torch import Tensor, nn

from agents.network.kernels.bfloat16 import (
    Bfloat16Conv2d,
    Bfloat16Linear,
    available,
    use_bfloat16,
)

ROUNDING = 2**-8
"""Half a unit in the last place of bfloat16, of which one significant bit is not stored."""


def pair(bias: bool = True) -> tuple[nn.Sequential, nn.Sequential]:
    """Returns a network in float32, and the same in bfloat16."""
    plain = nn.Sequential(
        nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=bias), nn.Tanh(), nn.Flatten(),
        nn.Linear(32 * 7 * 5, 64, bias=bias),
    )  # fmt: skip
    ours = copy.deepcopy(plain)
    use_bfloat16(ours)
    return plain, ours


def distance(a: Tensor, b: Tensor) -> float:
    """Returns how far `a` is from `b`, as a share of b's norm."""
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_values_and_gradients_are_torchs_to_rounding(batch: int, bias: bool) -> None:
    torch.manual_seed(batch)
    plain, ours = pair(bias)
    x = torch.randn(batch, 16, 13, 9, requires_grad=True)
    same = x.detach().clone().requires_grad_()
    out, expected = ours(x), plain(same)
    assert out.dtype == torch.float32
    assert 0 < distance(out, expected) < 2 * ROUNDING
    up = torch.randn(batch, 64)
    out.backward(up)
    expected.backward(up)
    assert distance(x.grad, same.grad) < 4 * ROUNDING
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert mine.grad.dtype == torch.float32
        assert distance(mine.grad, theirs.grad) < 4 * ROUNDING
    with torch.inference_mode():
        assert torch.equal(ours(x), out)


def test_large_layers_change_and_their_weights_stay() -> None:
    class Own(nn.Linear):
        pass

    module = nn.Sequential(
        nn.Conv2d(12, 16, 3), nn.Conv2d(16, 16, 3), nn.Linear(256, 127), nn.Linear(256, 128),
        Own(256, 128),
    )  # fmt: skip
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    use_bfloat16(module)
    kinds = [nn.Conv2d, Bfloat16Conv2d, nn.Linear, Bfloat16Linear, Own]
    assert [type(layer) for layer in module] == kinds
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_it_computes_with_the_weights_as_they_are() -> None:
    """Also after a fused optimizer, which changes weights without torch's notice."""
    torch.manual_seed(0)
    plain, ours = pair()
    x = torch.randn(3, 16, 13, 9)
    optimizer = torch.optim.Adam(ours.parameters(), lr=0.1, fused=True)
    with torch.inference_mode():
        first = ours(x)
    ours(x).square().mean().backward()
    optimizer.step()
    plain.load_state_dict(ours.state_dict())
    with torch.inference_mode():
        assert distance(ours(x), plain(x)) < 2 * ROUNDING
        assert distance(ours(x), first) > 0.5


def test_this_machine_has_it_or_not() -> None:
    assert isinstance(available(), bool)
