"""Class-semantics attention equals figure 1 as loops; its gates come from the semantics alone."""

import pytest
import torch
from torch import Tensor

from agents.encoders.semantics import ClassSemanticsAttention
from agents.encoders.squeeze import SqueezeExcitation


def convolve(rows: list[Tensor], weight: Tensor, bias: Tensor) -> list[list[Tensor]]:
    """Kernel 3, zeros outside: ReLU(b_o + Σ_i Σ_k w[o, i, k] rows[i][t + k - 1])."""
    length = len(rows[0])
    out = []
    for o in range(weight.shape[0]):
        line = []
        for t in range(length):
            value = bias[o]
            for i, row in enumerate(rows):
                for k in range(3):
                    if 0 <= t + k - 1 < length:
                        value = value + weight[o, i, k] * row[t + k - 1]
            line.append(value.clamp_min(0))
        out.append(line)
    return out


def reference(
    m: ClassSemanticsAttention, R: Tensor, F: Tensor, valid: Tensor | None = None
) -> Tensor:
    batch, _, window = F.shape
    out = []
    for b in range(batch):
        here = [valid is None or bool(valid[b, t]) for t in range(window)]
        r = [torch.stack([R[b, i, t] * here[t] for t in range(window)]) for i in range(R.shape[1])]
        along = convolve(r, m.channel_conv.weight, m.channel_conv.bias)
        count = max(sum(here), 1)
        pooled = torch.stack([sum(x * h for x, h in zip(line, here, strict=True)) / count
                              for line in along])  # fmt: skip
        a_c = 1 / (1 + torch.exp(-(m.channel_gate.weight @ pooled + m.channel_gate.bias)))
        turned = [torch.stack([row[t] for row in r]) for t in range(window)]
        across = convolve(turned, m.time_conv.weight, m.time_conv.bias)
        pooled = torch.stack([sum(line) / len(line) for line in across])
        a_t = 1 / (1 + torch.exp(-(m.time_gate.weight @ pooled + m.time_gate.bias)))
        P = m.project.weight[:, :, 0]
        steps = []
        for t in range(window):
            both = torch.cat([F[b, :, t] * a_c, F[b, :, t] * a_t[t]])
            steps.append((P @ both + m.project.bias) * here[t])
        out.append(torch.stack(steps, 1))
    return torch.stack(out)


def attention_of(cin: int = 5, cout: int = 3, window: int = 7) -> ClassSemanticsAttention:
    torch.manual_seed(0)
    return ClassSemanticsAttention(cin, cout, window).double()


def inputs(cin: int = 5, cout: int = 3, window: int = 7, batch: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    R = torch.randn(batch, cin, window, dtype=torch.float64, requires_grad=True)
    return R, torch.randn(batch, cout, window, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(5, 3, 7), (2, 7, 3), (3, 2, 1), (1, 1, 2)])
def test_values_and_gradients_equal_the_loops(sizes: tuple[int, int, int], masked: bool) -> None:
    m, (R, F) = attention_of(*sizes), inputs(*sizes)
    valid = torch.rand(2, sizes[2]) < 0.6 if masked else None
    y, expected = m(R, F, valid), reference(m, R, F, valid)
    assert torch.allclose(y, expected, rtol=0, atol=1e-12)
    weight = torch.randn_like(y)
    leaves = [*m.parameters(), R, F]
    gradients = torch.autograd.grad((y * weight).sum(), leaves)
    right = torch.autograd.grad((expected * weight).sum(), leaves, allow_unused=True)
    for a, b in zip(gradients, right, strict=True):
        assert torch.allclose(a, torch.zeros_like(a) if b is None else b, rtol=0, atol=1e-12)
    rough = m.float()(R.detach().float(), F.detach().float(), valid)
    assert torch.allclose(rough.double(), expected, rtol=1e-5, atol=1e-6)


def test_parameters_are_as_many_as_by_formula() -> None:
    def count(*sizes: int) -> int:
        return sum(p.numel() for p in ClassSemanticsAttention(*sizes).parameters())

    assert count(400, 256, 100) == 544_776
    assert count(13, 64, 8) == 15_248


def test_untrained_gates_are_one_half() -> None:
    m, (R, F) = attention_of(), inputs()
    for layer in (m.channel_gate, m.time_gate):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    channel, time = m.gates(R)
    assert (channel == 0.5).all()
    assert (time == 0.5).all()
    assert torch.allclose(m(R, F), m.project(torch.cat([F, F], 1) / 2), rtol=0, atol=1e-15)


def test_gates_come_from_the_semantics_and_the_squeezes_from_the_features() -> None:
    m, (R, F) = attention_of(), inputs()
    for gate in m.gates(R):
        to_R, to_F = torch.autograd.grad(gate.sum(), [R, F], allow_unused=True, retain_graph=True)
        assert to_R.abs().max() > 0
        assert to_F is None
        assert (gate > 0).all()
        assert (gate < 1).all()
    squeeze = SqueezeExcitation(3).double()
    gated = squeeze(F.transpose(1, 2))
    (to_R,) = torch.autograd.grad(gated.sum(), [R], allow_unused=True)
    assert to_R is None


def test_a_shift_in_time_leaves_the_channel_gates_inside_the_window() -> None:
    """Away from the edges, where zeros come in, the pooled mean does not see when it was."""
    m = attention_of(window=11)
    R = torch.zeros(1, 5, 11, dtype=torch.float64)
    R[:, :, 3:6] = torch.randn(1, 5, 3, dtype=torch.float64)
    assert torch.allclose(m.gates(R)[0], m.gates(R.roll(2, -1))[0], rtol=0, atol=1e-15)
    assert not torch.allclose(m.gates(R)[1], m.gates(R.roll(2, -1))[1], atol=1e-6)


def test_the_order_of_time_matters() -> None:
    m, (R, F) = attention_of(), inputs()
    order = torch.randperm(7)
    assert not torch.allclose(m(R[..., order], F[..., order]), m(R, F)[..., order], atol=1e-6)


def test_what_stands_before_the_episode_changes_nothing() -> None:
    m, (R, F) = attention_of(), inputs()
    valid = torch.arange(7).expand(2, -1) >= 3
    other = m(R + ~valid.unsqueeze(1) * 9.0, F - ~valid.unsqueeze(1) * 9.0, valid)
    y = m(R, F, valid)
    assert torch.equal(y, other)
    assert (y[..., :3] == 0).all()


def test_a_window_without_a_step_is_finite() -> None:
    m, (R, F) = attention_of(), inputs()
    y = m(R, F, torch.zeros(2, 7, dtype=torch.bool))
    y.sum().backward()
    assert (y == 0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in (*m.parameters(), R, F))


def test_samples_do_not_meet() -> None:
    m, (R, F) = attention_of(), inputs(batch=5)
    y = m(R, F)
    with torch.no_grad():
        R[3] += 1
        F[3] += 1
    after = m(R, F)
    others = [0, 1, 2, 4]
    assert torch.equal(y[others], after[others])
    assert torch.allclose(m(R[1:2], F[1:2]), y[1:2], rtol=0, atol=1e-15)
    assert not torch.allclose(y[3], after[3])


def test_means_stay_float32_under_autocast() -> None:
    m = attention_of().float()
    R, F = (x.detach().float() for x in inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = m(R, F)
    assert torch.allclose(y.float(), m(R, F), atol=3e-2)


def test_what_is_no_number_before_an_episode_reaches_nothing() -> None:
    m, (R, F) = attention_of(), inputs()
    valid = torch.ones(2, 7, dtype=torch.bool)
    valid[0, :3] = False
    void = ~valid.unsqueeze(1)
    weight = torch.randn_like(F)
    results = []
    for filling in (0.0, float("nan")):
        r = R.detach().masked_fill(void, filling).requires_grad_()
        f = F.detach().masked_fill(void, filling).requires_grad_()
        m.zero_grad()
        y = m(r, f, valid)
        (y * weight).sum().backward()
        results.append([y, r.grad, f.grad, *(p.grad for p in m.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("masked", [False, True])
def test_an_exported_program_gives_equal_numbers(masked: bool) -> None:
    torch.manual_seed(0)
    m = ClassSemanticsAttention(5, 6, 4).double()

    def inputs(batch: int) -> tuple[Tensor, ...]:
        parts = torch.randn(batch, 5, 4), torch.randn(batch, 6, 4), torch.rand(batch, 4)
        return (parts[0].double(), parts[1].double(), *((parts[2] < 0.7,) if masked else ()))

    small, large = inputs(3), inputs(5)
    sizes = [{0: torch.export.Dim.DYNAMIC}] * len(small)
    program = torch.export.export(m, small, dynamic_shapes=tuple(sizes))
    assert torch.allclose(program.module()(*large), m(*large), rtol=1e-12, atol=1e-13)
