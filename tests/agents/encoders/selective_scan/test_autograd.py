"""The scan equals its recurrence written as a loop: values, gradients, blocks, types and edges.

Everything twice: with the compiled kernels and with those in plain torch.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agents.encoders.selective_scan import plain, scan_map, selective_scan

pytestmark = pytest.mark.usefixtures("kernels")
NAMES = ("u", "delta", "A", "B", "C", "D")


def inputs(
    batch: int, groups: int, size: int, state: int, length: int, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    channels = groups * size
    raw = [
        torch.randn(batch, channels, length, dtype=torch.float64),
        torch.rand(batch, channels, length, dtype=torch.float64),
        -torch.rand(channels, state, dtype=torch.float64) * state,
        torch.randn(batch, groups, state, length, dtype=torch.float64),
        torch.randn(batch, groups, state, length, dtype=torch.float64),
        torch.randn(channels, dtype=torch.float64),
    ]
    return [x.to(dtype).requires_grad_() for x in raw]


def loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """One scalar channel at a time: h_t = exp(Δ A) h + Δ B u, y_t = C·h_t + D u_t."""
    batch, channels, length = u.shape
    size = channels // B.shape[1]
    samples = []
    for b in range(batch):
        rows = []
        for c in range(channels):
            h, row = torch.zeros_like(A[c]), []
            for t in range(length):
                step = delta[b, c, t]
                h = torch.exp(step * A[c]) * h + step * B[b, c // size, :, t] * u[b, c, t]
                row.append(torch.dot(C[b, c // size, :, t], h) + D[c] * u[b, c, t])
            rows.append(torch.stack(row))
        samples.append(torch.stack(rows))
    return torch.stack(samples)


def gradients(y: Tensor, args: list[Tensor]) -> tuple[Tensor, ...]:
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.autograd.grad((y * weight).sum(), args)


def relative(actual: Tensor, expected: Tensor) -> float:
    difference = (actual.detach().double() - expected.detach()).abs().max().item()
    return difference / max(expected.detach().abs().max().item(), 1e-300)


@pytest.mark.parametrize("block", [1 << 17, 300, 64, 1])
@pytest.mark.parametrize("sizes", [(2, 3, 5, 7, 11), (3, 1, 2, 5, 1), (1, 2, 3, 5, 2)])
def test_values_and_gradients_equal_the_loop(
    sizes: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "BLOCK", block)  # small ones cut time and batch into many
    torch.manual_seed(0)
    args = inputs(*sizes)
    y, expected = selective_scan(*args), loop(*args)
    assert relative(y, expected) < 1e-10
    for name, actual, expected_gradient in zip(
        NAMES, gradients(y, args), gradients(expected, args), strict=True
    ):
        assert relative(actual, expected_gradient) < 1e-10, name


@pytest.mark.parametrize("length", [1, 2, 3, 5, 81])
def test_float32_is_within_1e5_of_the_float64_loop(length: int) -> None:
    torch.manual_seed(length)
    exact = inputs(2, 2, 3, 5, length)
    rough = [x.detach().float().requires_grad_() for x in exact]
    y, expected = selective_scan(*rough), loop(*exact)
    assert y.dtype == torch.float32
    assert relative(y, expected) < 1e-5
    for name, actual, expected_gradient in zip(
        NAMES, gradients(y, rough), gradients(expected, exact), strict=True
    ):
        assert relative(actual, expected_gradient) < 1e-5, name


@pytest.mark.parametrize("length", [440, 1659])
def test_long_scans_in_float32_are_within_1e5_of_float64(length: int) -> None:
    torch.manual_seed(0)
    exact = inputs(1, 2, 7, 16, length)
    rough = [x.detach().float().requires_grad_() for x in exact]
    y, expected = selective_scan(*rough), selective_scan(*exact)
    assert relative(y, expected) < 1e-5
    for name, actual, expected_gradient in zip(
        NAMES, gradients(y, rough), gradients(expected, exact), strict=True
    ):
        assert relative(actual, expected_gradient) < 1e-5, name


def test_gradcheck() -> None:
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(selective_scan, inputs(2, 2, 2, 3, 5))


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.integers(1, n) for n in (3, 3, 4, 4, 9)]),
    st.integers(1, 400),
    st.integers(0, 99),
)
def test_any_sizes_in_any_blocks(sizes: tuple[int, ...], block: int, seed: int) -> None:
    torch.manual_seed(seed)
    args = inputs(*sizes)
    whole = plain.BLOCK
    try:
        plain.BLOCK = block
        y = selective_scan(*args)
        actual = gradients(y, args)
    finally:
        plain.BLOCK = whole
    expected = loop(*args)
    assert torch.allclose(y, expected, rtol=1e-10, atol=1e-10)
    for a, b in zip(actual, gradients(expected, args), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def test_no_step_is_no_state() -> None:
    u, delta, A, B, C, D = inputs(2, 1, 3, 5, 7)
    y = selective_scan(u, torch.zeros_like(delta), A, B, C, D)
    assert torch.equal(y, u * D[:, None])


def test_no_decay_is_a_running_sum() -> None:
    u = torch.randn(2, 3, 7, dtype=torch.float64)
    ones = torch.ones(2, 1, 1, 7, dtype=torch.float64)
    none = torch.zeros(3, 1, dtype=torch.float64)
    y = selective_scan(u, torch.ones_like(u), none, ones, ones, none[:, 0])
    assert torch.allclose(y, u.cumsum(-1), rtol=0, atol=1e-14)


def test_strong_decay_underflows_to_the_present() -> None:
    """exp(-1600) is 0: what a cumulative product would divide by."""
    args = inputs(1, 1, 2, 3, 64)
    u, delta, A, B, C, D = (x.detach() for x in args)
    delta, A = torch.full_like(delta, 100.0), torch.full_like(A, -16.0)
    y = selective_scan(u, delta, A, B, C, D)
    present = (B * C).sum(2) * delta * u + D[:, None] * u
    assert torch.allclose(y, present, rtol=1e-12)


def test_what_comes_later_changes_nothing_earlier() -> None:
    args = [x.detach() for x in inputs(2, 2, 3, 5, 11)]
    before = selective_scan(*args)
    for x in (args[0], args[1], args[3], args[4]):
        x[..., 7:] += 1
    after = selective_scan(*args)
    assert torch.equal(after[..., :7], before[..., :7])
    assert not torch.allclose(after[..., 7:], before[..., 7:])


def test_a_skipped_position_leaves_the_rest_as_without_it() -> None:
    args = [x.detach() for x in inputs(2, 1, 3, 5, 7)]
    args[1][..., 4] = 0
    with_it = selective_scan(*args)
    keep = [0, 1, 2, 3, 5, 6]
    without = [x[..., keep] if x.shape[-1] == 7 else x for x in args]
    assert torch.allclose(with_it[..., keep], selective_scan(*without), rtol=0, atol=1e-14)


def test_one_group_may_leave_out_its_axis_and_the_skip() -> None:
    u, delta, A, B, C, D = inputs(2, 1, 3, 5, 7)
    y = selective_scan(u, delta, A, B[:, 0], C[:, 0])
    assert torch.allclose(y + u * D[:, None], selective_scan(u, delta, A, B, C, D))


def test_samples_do_not_meet() -> None:
    args = [x.detach() for x in inputs(5, 2, 3, 5, 7)]
    before = selective_scan(*args)
    for x in (args[0], args[1], args[3], args[4]):
        x[3] += 1
    after = selective_scan(*args)
    others = [0, 1, 2, 4]
    assert torch.equal(after[others], before[others])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    half = [x.detach().to(dtype) for x in inputs(2, 2, 3, 5, 7)]
    y = selective_scan(*half)
    assert y.dtype == dtype
    assert torch.equal(y, selective_scan(*[x.float() for x in half]).to(dtype))


def test_autocast_changes_nothing() -> None:
    args = [x.detach().requires_grad_() for x in inputs(2, 2, 3, 5, 7, torch.float32)]
    y = selective_scan(*args)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = selective_scan(*args)
        grads = torch.autograd.grad(cast.sum(), args)
    assert torch.equal(y, cast)
    for a, b in zip(grads, torch.autograd.grad(y.sum(), args), strict=True):
        assert torch.equal(a, b)


def test_only_what_is_asked_is_kept() -> None:
    """Under no_grad the states between blocks are not stored, and the values are the same."""
    args = inputs(2, 2, 3, 5, 7)
    with torch.no_grad():
        y = selective_scan(*args)
    assert not y.requires_grad
    assert torch.equal(y, selective_scan(*args))


def test_channels_must_divide_into_groups() -> None:
    u, delta, A, _, _, D = inputs(1, 1, 5, 2, 3)
    gates = torch.randn(1, 2, 2, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="5 channels do not divide into 2 groups"):
        selective_scan(u, delta, A, gates, gates, D)


@pytest.mark.parametrize("sizes", [(2, 3, 2, 5, 7), (1, 2, 3, 17, 5), (3, 1, 4, 4, 19)])
def test_a_map_is_scanned_along_each_route_and_given_back_in_its_order(
    sizes: tuple[int, ...],
) -> None:
    batch, heads, routes, size, cells = sizes
    state = 3
    torch.manual_seed(0)
    order = torch.stack([torch.randperm(cells) for _ in range(heads * routes)])
    order = order.view(heads, routes, cells)
    shapes = ((heads, size), (heads, routes, size), (heads, routes, state), (heads, routes, state))
    u, delta, B, C = (torch.randn(batch, cells, *s, dtype=torch.float64) for s in shapes)
    A = -torch.rand(heads, routes, size, state, dtype=torch.float64)
    args = [x.requires_grad_() for x in (u, delta.detach().abs(), A, B, C)]
    y = scan_map(*args, order, order.argsort(-1))
    u, delta, A, B, C = args
    none = torch.zeros(size, dtype=torch.float64)
    expected = torch.empty_like(y)
    for h in range(heads):
        for k in range(routes):
            at = order[h, k]
            walked = (x[:, at].transpose(1, 2) for x in (u[:, :, h], delta[:, :, h, k]))
            gates = (x[:, at, h, k].transpose(1, 2).unsqueeze(1) for x in (B, C))
            expected[:, at, h, k] = loop(*walked, A[h, k], *gates, none).transpose(1, 2)
    assert relative(y, expected) < 1e-10
    for actual, expected_gradient in zip(
        gradients(y, args), gradients(expected, args), strict=True
    ):
        assert relative(actual, expected_gradient) < 1e-10
