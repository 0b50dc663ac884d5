"""Zeros by choice: no value and no gradient passes from where nothing is valid."""

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
