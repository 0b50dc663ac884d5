"""Zeros by choice: no value and no gradient passes from where nothing is valid."""

import pytest
import torch

from agents.encoders.masking import zero_void

NAN = float("nan")


def test_by_hand() -> None:
    x = torch.tensor([[[NAN, 1.0], [2.0, -3.0]]], requires_grad=True)
    y = zero_void(x, torch.tensor([[False, True]]))
    assert y.tolist() == [[[0, 0], [2, -3]]]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[0, 0], [1, 1]]]


def test_a_mask_with_all_axes_is_broadcast() -> None:
    x = torch.tensor([[[NAN, 1.0], [NAN, -3.0]]])
    assert zero_void(x, torch.tensor([[[False, True]]])).tolist() == [[[0, 1], [0, -3]]]


def test_without_a_mask_nothing_changes_and_dtypes_stay() -> None:
    x = torch.ones(1, 2, dtype=torch.bfloat16)
    assert zero_void(x, None) is x
    assert zero_void(x, torch.tensor([[True, False]])).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 5, 7)])
def test_it_is_the_choice_that_torch_makes(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Bit for bit, with NaN and infinities that are valid, and a gradient that is one number."""
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype)
    x[torch.rand(shape) < 0.3] = NAN
    x[torch.rand(shape) < 0.3] = -torch.inf
    x.requires_grad_()
    mask = torch.tensor([[True, False, True], [False, False, True]])
    wide = mask.view(2, 3, *(1,) * (len(shape) - 2))
    for y in (zero_void(x, mask), zero_void(x.transpose(0, 1), mask.t()).transpose(0, 1)):
        assert torch.equal(y.nan_to_num(7.0), torch.where(wide, x, 0.0).nan_to_num(7.0))
        (grad,) = torch.autograd.grad(y.sum(), x)  # an expanded gradient
        assert torch.equal(grad, wide.expand(shape).to(dtype))


def test_gradients_have_gradients() -> None:
    mask = torch.tensor([[True, False]])
    x = torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: zero_void(x, mask).square(), x)
