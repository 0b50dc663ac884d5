"""Softmax attention by hand, and what masks do to it."""

import math

import torch

from agents.encoders.attend import plain

# One head of one channel, d = 1: scores are products, and e^ln n = n.
Q = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
K = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
V = torch.tensor([8.0, 4.0]).view(1, 2, 1, 1)


def test_weights_by_hand() -> None:
    """Scores ln 3 and 0 are weights 3/4 and 1/4; scores 0 and 0 halves."""
    expected = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    assert torch.allclose(plain.weights(Q, K)[0, 0], expected)
    bias = torch.tensor([[[0.0, 0.0], [math.log(7), 0.0]]])
    assert torch.allclose(plain.weights(Q, K, bias)[0, 0, 1], torch.tensor([7 / 8, 1 / 8]))
    key_mask = torch.tensor([[False, True]])
    assert torch.equal(plain.weights(Q, K, bias, key_mask)[0, 0], torch.tensor([[0.0, 1.0]] * 2))
    assert torch.allclose(plain.weights(Q, K, None, ~key_mask & key_mask)[0, 0], expected)


def test_scores_are_divided_by_the_root_of_the_channels() -> None:
    """q · k = 4 ln 3 over √16 is ln 3."""
    q, k = torch.ones(1, 1, 1, 16), torch.zeros(1, 2, 1, 16)
    k[0, 0] = math.log(3) / 4
    assert torch.allclose(plain.weights(q, k), torch.tensor([0.75, 0.25]))


def test_attention_by_hand() -> None:
    """3/4 of 8 and 1/4 of 4 are 7; halves are 6."""
    bias = torch.zeros(1, 2, 2)
    for added in (None, bias):
        out = plain.attend(Q, K, V, added, None, None)
        assert torch.allclose(out.flatten(), torch.tensor([7.0, 6.0]))
        query_mask = torch.tensor([[False, True]])
        out = plain.attend(Q, K, V, added, None, query_mask)
        assert torch.allclose(out.flatten(), torch.tensor([0.0, 6.0]))
        out = plain.attend(Q, K, V, added, torch.tensor([[False, True]]), None)
        assert torch.allclose(out.flatten(), torch.tensor([4.0, 4.0]))
        out = plain.attend(Q, K, V, added, torch.tensor([[False, False]]), None)
        assert out.flatten().tolist() == [0.0, 0.0]
