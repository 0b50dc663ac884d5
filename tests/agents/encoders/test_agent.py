"""Agent attention equals its formulas written as loops over tokens, agents, rows and columns."""

import math

import pytest
import torch
from torch import Tensor

from agents.encoders.agent import AgentAttention
from agents.encoders.softmax import SoftmaxAttention


def reference(m: AgentAttention, x: Tensor, agents: tuple[int, int], mask: Tensor | None) -> Tensor:
    """The steps of the paper for each sample and head, with weights read from the module."""
    batch, tokens, dim = x.shape
    e, H, W, d = m.extra, m.height, m.width, dim // m.heads
    n = agents[0] * agents[1]
    wq, wk, wv = m.qkv.weight.split(dim)
    bq, bk, bv = m.qkv.bias.split(dim) if m.qkv.bias is not None else (0, 0, 0)

    def cell(i: int, j: int) -> int:
        return e + i * W + j

    def resized(table: Tensor, i: int, j: int) -> Tensor:
        """Bilinear, corners not aligned, of a 7 x 7 table at cell (i, j) of the map."""
        y, x = (max((k + 0.5) * 7 / size - 0.5, 0) for k, size in ((i, H), (j, W)))
        i0, j0 = int(y), int(x)
        i1, j1, fy, fx = min(i0 + 1, 6), min(j0 + 1, 6), y - i0, x - j0
        top = (1 - fx) * table[i0, j0] + fx * table[i0, j1]
        return (1 - fy) * top + fy * ((1 - fx) * table[i1, j0] + fx * table[i1, j1])

    def bias(kind: int, h: int, a: int, token: int) -> Tensor:
        if token < e:
            return m.bias_extra[kind, h, a, token]
        i, j = divmod(token - e, W)
        on_map = resized(m.bias_table[kind, h, a], i, j)
        return on_map + m.bias_rows[kind, h, a, i] + m.bias_columns[kind, h, a, j]

    samples = []
    for b in range(batch):
        valid = [mask is None or bool(mask[b, t]) for t in range(tokens)]
        q, k, v = x[b] @ wq.t() + bq, x[b] @ wk.t() + bk, x[b] @ wv.t() + bv
        pooled = []
        for p in range(agents[0]):
            for r in range(agents[1]):
                rows = range(p * H // agents[0], math.ceil((p + 1) * H / agents[0]))
                columns = range(r * W // agents[1], math.ceil((r + 1) * W / agents[1]))
                inside = [cell(i, j) for i in rows for j in columns if valid[cell(i, j)]]
                pooled.append(torch.stack([q[t] for t in inside]).mean(0) if inside else 0 * q[0])
        heads = []
        for h in range(m.heads):
            s = slice(h * d, (h + 1) * d)
            gathered = []
            for a in range(n):
                keys = [t for t in range(tokens) if valid[t]] or list(range(tokens))
                scores = [pooled[a][s] @ k[t, s] / math.sqrt(d) + bias(0, h, a, t) for t in keys]
                weights = torch.stack(scores).softmax(0)
                gathered.append(sum(w * v[t, s] for w, t in zip(weights, keys, strict=True)))
            rows = []
            for t in range(tokens):
                scores = [
                    q[t, s] @ pooled[a][s] / math.sqrt(d) + bias(1, h, a, t) for a in range(n)
                ]
                weights = torch.stack(scores).softmax(0)
                rows.append(sum(w * g for w, g in zip(weights, gathered, strict=True)))
            heads.append(torch.stack(rows))
        mixed = list(torch.cat(heads, 1))
        for i in range(H):
            for j in range(W):
                local = m.conv.bias
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        y, z = i + di, j + dj
                        if 0 <= y < H and 0 <= z < W and valid[cell(y, z)]:
                            local = local + m.conv.weight[:, 0, di + 1, dj + 1] * v[cell(y, z)]
                mixed[cell(i, j)] = mixed[cell(i, j)] + local
        out = torch.stack(mixed) @ m.out.weight.t() + m.out.bias
        samples.append(out * torch.tensor(valid, dtype=out.dtype).unsqueeze(1))
    return torch.stack(samples)


def randomised(*args: object, **options: object) -> AgentAttention:
    """A module in float64 whose every parameter, biases too, is far from 0."""
    torch.manual_seed(0)
    m = AgentAttention(*args, **options).double()  # type: ignore[arg-type]
    for p in m.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return m


def worst(actual: Tensor, expected: Tensor) -> float:
    scale = max(expected.detach().abs().max().item(), 1e-30)
    return (actual.detach().double() - expected.detach()).abs().max().item() / scale


CASES = {
    "square": ((6, 2, 3, 3), {"agents": (2, 2)}, False),
    "wide": ((6, 3, 3, 5), {"agents": (2, 3)}, False),
    "tall, masked": ((6, 2, 5, 2), {"agents": (3, 2)}, True),
    "one head, no bias of q, k, v": ((5, 1, 2, 3), {"agents": (1, 2), "qkv_bias": False}, True),
    "extra tokens": ((6, 2, 2, 3), {"agents": (2, 1), "extra_tokens": 2}, False),
    "extra tokens, masked": ((6, 2, 3, 2), {"agents": (2, 2), "extra_tokens": 3}, True),
    "more agents than rows": ((4, 2, 2, 2), {"agents": (3, 1)}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_the_loops(case: str) -> None:
    args, options, masked = CASES[case]
    m = randomised(*args, **options)
    tokens = args[2] * args[3] + m.extra
    x = torch.randn(2, tokens, args[0], dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, tokens) < 0.6 if masked else None
    y, expected = m(x, mask), reference(m, x, options["agents"], mask)
    assert worst(y, expected) < 1e-10
    weight = torch.randn_like(y)
    leaves = dict(m.named_parameters(), x=x)
    actual = torch.autograd.grad((y * weight).sum(), list(leaves.values()), allow_unused=True)
    right = torch.autograd.grad((expected * weight).sum(), list(leaves.values()), allow_unused=True)
    for name, a, b in zip(leaves, actual, right, strict=True):
        if a is not None and b is not None:
            assert worst(a, b) < 1e-10, name
    rough = m.float()(x.detach().float(), mask)
    assert worst(rough, expected) < 1e-5


def test_gradcheck() -> None:
    m = randomised(4, 2, 3, 4, agents=(2, 2))
    x = torch.randn(1, 12, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(m, (x,), fast_mode=True)


def test_parameters_are_as_many_as_the_papers() -> None:
    """4C² + 4C of the projections, 10C of the convolution, 2hn(49 + H + W) of the biases."""
    m = AgentAttention(64, 4, 21, 79, agents=(7, 7))
    assert sum(p.numel() for p in m.parameters()) == 75_688
    cls = AgentAttention(64, 4, 21, 79, agents=(7, 7), extra_tokens=1)
    assert sum(p.numel() for p in cls.parameters()) == 75_688 + 2 * 4 * 49
    assert sum(p.numel() for p in AgentAttention(64, 4, 9, 9, agents=(3, 3)).parameters()) == (
        16_640 + 640 + 2 * 4 * 9 * (49 + 18)
    )


def test_both_softmaxes_are_one_linear_attention() -> None:
    """Two fused attentions, the einsum form and (φ_q φ_kᵀ) V agree; rows sum to 1, rank is n."""
    m = randomised(6, 2, 5, 7, agents=(2, 2))
    x = torch.randn(2, 35, 6, dtype=torch.float64)
    q, k, v, a = (tokens.transpose(1, 2) for tokens in m._project(x, None))
    gather_bias, hand_out_bias = m._biases()
    gather, hand_out = m.attention(x)
    attend = torch.nn.functional.scaled_dot_product_attention
    fused = attend(q, a, attend(a, k, v, attn_mask=gather_bias), attn_mask=hand_out_bias)
    einsum = torch.einsum("bhqn,bhnk,bhkd->bhqd", hand_out, gather, v)
    product = hand_out @ gather
    assert torch.allclose(fused, einsum, rtol=0, atol=1e-12)
    assert torch.allclose(product @ v, einsum, rtol=0, atol=1e-12)
    assert torch.allclose(product.sum(-1), torch.ones(2, 2, 35).double(), rtol=0, atol=1e-12)
    assert torch.equal(torch.linalg.matrix_rank(product), torch.full((2, 2), 4))


def test_with_every_token_an_agent_it_is_still_not_softmax_attention() -> None:
    agent, softmax = randomised(6, 2, 3, 3, agents=(3, 3)), SoftmaxAttention(6, 2).double()
    with torch.no_grad():
        for p in (agent.bias_table, agent.bias_rows, agent.bias_columns, agent.conv.weight):
            p.zero_()
        agent.conv.bias.zero_()
        softmax.qkv.load_state_dict(agent.qkv.state_dict())
        softmax.out.load_state_dict(agent.out.state_dict())
    x = torch.randn(1, 9, 6, dtype=torch.float64)
    assert not torch.allclose(agent(x), softmax(x), atol=1e-3)


def test_equal_agents_hand_the_same_to_every_token() -> None:
    m = randomised(6, 2, 3, 5, agents=(2, 2))
    with torch.no_grad():
        m.qkv.weight[:6] = 0  # Q is its bias alone, and so is every agent
        for p in (m.bias_table, m.bias_rows, m.bias_columns):
            p[:] = p[:, :, :1].clone() if p is m.bias_table else 0
            p[1] = 0
        m.conv.weight.zero_()
    y = m(torch.randn(2, 15, 6, dtype=torch.float64))
    assert torch.allclose(y, y[:, :1].expand_as(y), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [0, 1])
def test_row_and_column_biases_move_their_row_and_column_alone(kind: int) -> None:
    m = randomised(6, 2, 3, 5, agents=(2, 2))
    before = m._biases()[kind].detach()
    with torch.no_grad():
        m.bias_rows[kind, 1, 3, 2] += 1
        m.bias_columns[kind, 0, 1, 4] += 1
    moved = m._biases()[kind].detach() - before  # (heads, n, N), or N and n swapped
    moved = (moved if kind == 0 else moved.transpose(-1, -2)).reshape(2, 4, 3, 5)
    expected = torch.zeros(2, 4, 3, 5, dtype=torch.float64)
    expected[1, 3, 2, :] = 1
    expected[0, 1, :, 4] = 1
    assert torch.allclose(moved, expected, atol=1e-12)
    assert torch.equal(m._biases()[1 - kind], m._biases()[1 - kind])


def test_the_two_biases_go_to_the_two_softmaxes() -> None:
    m = randomised(6, 2, 3, 5, agents=(2, 2))
    x = torch.randn(1, 15, 6, dtype=torch.float64)
    gather, hand_out = m.attention(x)
    with torch.no_grad():
        m.bias_rows[0] += torch.randn_like(m.bias_rows[0])
    gather_after, hand_out_after = m.attention(x)
    assert not torch.allclose(gather, gather_after)
    assert torch.equal(hand_out, hand_out_after)


def test_where_it_looks_sums_to_one_over_valid_tokens() -> None:
    m = randomised(6, 2, 3, 5, agents=(2, 2))
    x, mask = torch.randn(2, 15, 6, dtype=torch.float64), torch.rand(2, 15) < 0.5
    share = m.attention_map(x, mask)
    assert share.shape == (2, 15)
    assert (share[~mask] == 0).all()
    assert torch.allclose(share.sum(1), torch.ones(2).double())


def test_dim_must_divide_into_heads() -> None:
    with pytest.raises(ValueError, match="dim 5 does not divide into 2 heads"):
        AgentAttention(5, 2, 3, 3)
