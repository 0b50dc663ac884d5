"""Softmax attention, full and with pooled keys, equals its equation as loops."""

import math

import pytest
import torch
from torch import Tensor

from agents.encoders.softmax import PooledSoftmaxAttention, SoftmaxAttention


def reference(
    m: SoftmaxAttention, x: Tensor, mask: Tensor | None, bins: list[list[int]] | None
) -> Tensor:
    """`bins` holds the cells of each pooled key; None for each cell its own."""
    batch, tokens, dim = x.shape
    d = dim // m.heads
    wq, wk, wv = m.qkv.weight.split(dim)
    bq, bk, bv = m.qkv.bias.split(dim) if m.qkv.bias is not None else (0, 0, 0)
    samples = []
    for b in range(batch):
        valid = [mask is None or bool(mask[b, t]) for t in range(tokens)]
        q, k, v = x[b] @ wq.t() + bq, x[b] @ wk.t() + bk, x[b] @ wv.t() + bv
        groups = [[t for t in cells if valid[t]] for cells in bins or [[t] for t in range(tokens)]]
        groups = [g for g in groups if g]
        heads = []
        for h in range(m.heads):
            s = slice(h * d, (h + 1) * d)
            keys = [torch.stack([k[t, s] for t in g]).mean(0) for g in groups]
            values = [torch.stack([v[t, s] for t in g]).mean(0) for g in groups]
            rows = []
            for t in range(tokens):
                scores = torch.stack([q[t, s] @ key / math.sqrt(d) for key in keys])
                weights = scores.softmax(0)
                rows.append(sum(w * value for w, value in zip(weights, values, strict=True)))
            heads.append(torch.stack(rows))
        out = torch.cat(heads, 1) @ m.out.weight.t() + m.out.bias
        samples.append(out * torch.tensor(valid, dtype=out.dtype).unsqueeze(1))
    return torch.stack(samples)


def randomised(m: SoftmaxAttention) -> SoftmaxAttention:
    torch.manual_seed(0)
    m = m.double()
    for p in m.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return m


CASES = {
    "full": (SoftmaxAttention(6, 2), None),
    "full, no bias": (SoftmaxAttention(6, 3, qkv_bias=False), None),
    # 3 x 5 cells to 2 x 2: rows [0, 2) and [1, 3), columns [0, 3) and [2, 5).
    "pooled": (
        PooledSoftmaxAttention(6, 2, 3, 5, pool=(2, 2)),
        [
            [i * 5 + j for i in rows for j in columns]
            for rows in ((0, 1), (1, 2))
            for columns in ((0, 1, 2), (2, 3, 4))
        ],
    ),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_the_loops(case: str, masked: bool) -> None:
    plain, bins = CASES[case]
    m = randomised(plain)
    x = torch.randn(2, 15, 6, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 15) < 0.5 if masked else None
    y, expected = m(x, mask), reference(m, x, mask, bins)
    assert torch.allclose(y, expected, rtol=0, atol=1e-11)
    weight = torch.randn_like(y)
    leaves = [*m.parameters(), x]
    gradients = torch.autograd.grad((y * weight).sum(), leaves)
    right = torch.autograd.grad((expected * weight).sum(), leaves)
    for a, b in zip(gradients, right, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)
    rough = m.float()(x.detach().float(), mask).double()
    m.double()
    assert (rough - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("case", CASES)
def test_weights_sum_to_one_over_keys_that_count(case: str) -> None:
    m = randomised(CASES[case][0])
    x, mask = torch.randn(2, 15, 6, dtype=torch.float64), torch.rand(2, 15) < 0.5
    for weights in (m.attention(x), m.attention(x, mask)):
        total = weights.sum(-1)
        assert torch.allclose(total, torch.ones_like(total))
    assert torch.allclose(m.attention_map(x, mask).sum(-1), torch.ones(2).double())
    assert torch.allclose(m.attention_map(x).sum(-1), torch.ones(2).double())


def test_dim_must_divide_into_heads() -> None:
    with pytest.raises(ValueError, match="dim 5 does not divide into 2 heads"):
        SoftmaxAttention(5, 2)


def test_a_pooled_key_is_looked_at_through_its_cells() -> None:
    """Queries of 0 look at both bins alike; one has two valid cells of its three, one has three."""
    m = PooledSoftmaxAttention(2, 1, 2, 3, pool=(2, 1)).double()
    with torch.no_grad():
        m.qkv.weight.zero_()
    mask = torch.tensor([[True, False, True, True, True, True]])
    drawn = m.attention_map(torch.randn(1, 6, 2, dtype=torch.float64), mask)
    expected = torch.tensor([[1 / 4, 0, 1 / 4, 1 / 6, 1 / 6, 1 / 6]], dtype=torch.float64)
    assert torch.allclose(drawn, expected)
