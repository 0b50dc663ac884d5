"""Attention in C and in torch: the same numbers and gradients, whatever the shape or the masks."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agents.encoders.attend import attend, autograd, native, plain
from agents.encoders.compiled import may_call

if native.library(torch.float32) is None:
    pytest.skip("no C compiler", allow_module_level=True)

Attend = Callable[..., Tensor]


def leaves(
    batch: int, queries: int, keys: int, heads: int, size: int, biased: bool
) -> list[Tensor]:
    torch.manual_seed(0)
    shapes: list[tuple[int, ...]] = [(batch, n, heads, size) for n in (queries, keys, keys)]
    shapes += [(heads, queries, keys)] if biased else []
    return [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]


def results(
    how: Attend, of: list[Tensor], key_mask: Tensor | None, query_mask: Tensor | None
) -> list[Tensor]:
    q, k, v, bias = (*of, None)[:4]
    out = how(q, k, v, bias, key_mask, query_mask)
    weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out, *torch.autograd.grad((out * weight).sum(), of)]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 10),
    queries=st.integers(1, 35),
    keys=st.integers(1, 35),
    heads=st.integers(1, 3),
    size=st.sampled_from([1, 2, 3, 4, 5, 7, 8, 16, 17]),
    biased=st.booleans(),
    share=st.sampled_from([None, 0.0, 0.3, 0.8]),
)
def test_c_and_torch_agree(
    batch: int, queries: int, keys: int, heads: int, size: int, biased: bool, share: float | None
) -> None:
    of = leaves(batch, queries, keys, heads, size, biased)
    key_mask = query_mask = None
    if share is not None:
        key_mask, query_mask = torch.rand(batch, keys) < share, torch.rand(batch, queries) < share
    for a, b in zip(
        results(attend, of, key_mask, query_mask),
        results(plain.attend, of, key_mask, query_mask),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=0, atol=1e-11 * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize("size", [4, 8, 16, 5])
def test_float32_is_right_to_rounding(size: int) -> None:
    of = leaves(3, 67, 19, 2, size, True)
    exact = results(plain.attend, of, None, None)
    rough = results(attend, [x.detach().float().requires_grad_() for x in of], None, None)
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == torch.float32
        assert (a.double() - b).abs().max() < 3e-6 * b.abs().max()


@pytest.mark.parametrize("nothing", [torch.nan, torch.inf])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("attend", [attend, plain.attend])
def test_what_stands_in_rows_that_do_not_count_changes_nothing(
    attend: Attend, biased: bool, nothing: float
) -> None:
    of = leaves(2, 5, 7, 2, 4, biased)
    key_mask, query_mask = torch.rand(2, 7) < 0.5, torch.rand(2, 5) < 0.5
    before = results(attend, of, key_mask, query_mask)
    with torch.no_grad():
        of[0][~query_mask] = nothing
        of[1][~key_mask] = nothing
        of[2][~key_mask] = nothing
    after = results(attend, of, key_mask, query_mask)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not after[0][~query_mask].any()
    assert not after[1][~query_mask].any()
    assert not after[2][~key_mask].any()
    assert not after[3][~key_mask].any()


def test_a_value_that_is_none_stays_none_in_its_own_sample() -> None:
    of = [x.detach() for x in leaves(3, 5, 7, 2, 4, False)]
    of[1][1, 2, 0, 3] = torch.nan
    lost = attend(*of).isnan()
    assert lost[1, :, 0].all()
    assert not lost[1, :, 1].any()
    assert not lost[[0, 2]].any()


def test_any_strides_will_do() -> None:
    of = leaves(2, 5, 7, 2, 4, True)
    turned = [x.detach().transpose(-1, -2).contiguous().transpose(-1, -2) for x in of]
    assert turned[0].stride(-1) != 1
    turned = [x.requires_grad_() for x in turned]
    for a, b in zip(
        results(attend, of, None, None), results(attend, turned, None, None), strict=True
    ):
        assert torch.equal(a, b)


def test_gradcheck() -> None:
    key_mask = torch.tensor([[True, False, True], [True, True, True]])
    assert torch.autograd.gradcheck(
        lambda *of: attend(*of, key_mask=key_mask), leaves(2, 3, 3, 2, 2, True), fast_mode=True
    )


def test_a_bias_that_does_not_learn_has_no_gradient() -> None:
    q, k, v, bias = leaves(2, 3, 5, 2, 4, True)
    out = attend(q, k, v, bias.detach())
    assert torch.allclose(out, plain.attend(q, k, v, bias, None, None))
    (d_q,) = torch.autograd.grad(out.sum(), [q])
    assert d_q.shape == q.shape


def test_one_mask_may_be_that_of_all_samples() -> None:
    of = leaves(3, 5, 7, 2, 4, True)
    key_mask, query_mask = torch.rand(1, 7) < 0.5, torch.rand(1, 5) < 0.5
    one = results(attend, of, key_mask, query_mask)
    each = results(attend, of, key_mask.expand(3, 7), query_mask.expand(3, 5))
    assert all(torch.equal(a, b) for a, b in zip(one, each, strict=True))


def strange(how: str) -> tuple[list[Tensor], Tensor | None]:
    """Arguments that torch broadcasts, or reads otherwise than memory has them."""
    q, k, v, bias = (x.detach() for x in leaves(3, 5, 7, 2, 4, True))
    key_mask = None
    if how == "one bias of all heads":
        bias = bias[:1]
    elif how == "keys of one sample":
        k, v = k[:1], v[:1]
    elif how == "keys of one head":
        k, v = k[:, :, :1], v[:, :, :1]
    elif how == "lazily negated":
        q = torch._neg_view(q)
    elif how == "a mask of numbers":
        key_mask = torch.ones(3, 7, dtype=torch.int64)
    elif how == "values of other samples":
        v = v[:2]
    return [q, k, v, bias], key_mask


@pytest.mark.parametrize(
    "how",
    [
        "one bias of all heads",
        "keys of one sample",
        "keys of one head",
        "lazily negated",
        "a mask of numbers",
        "values of other samples",
    ],
)
def test_what_c_can_not_read_is_torchs_to_compute_or_to_refuse(how: str) -> None:
    of, key_mask = strange(how)
    try:
        expected = plain.attend(*of, key_mask, None)
    except (RuntimeError, TypeError):
        with pytest.raises((RuntimeError, TypeError)):
            attend(*of, key_mask=key_mask)
    else:
        assert torch.equal(attend(*of, key_mask=key_mask), expected)


def test_results_are_where_their_arguments_are() -> None:
    q, k, v = leaves(2, 3, 5, 2, 4, False)
    with torch.device("meta"):
        out = attend(q, k, v)
        gradients = torch.autograd.grad(out.sum(), [q, k, v])
    assert all(x.is_cpu for x in (out, *gradients))


def test_it_may_be_mapped_over_a_batch() -> None:
    q, k, v, bias = (x.detach() for x in leaves(3, 5, 7, 2, 4, True))
    each = torch.func.vmap(lambda *of: attend(*(x[None] for x in of), bias)[0])(q, k, v)
    assert torch.allclose(each, attend(q, k, v, bias), rtol=0, atol=1e-12)


@pytest.mark.parametrize("how", ["autocast", "many keys", "two types", "exported", "asked not to"])
def test_elsewhere_torch_computes_it(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (x.detach().float() for x in leaves(2, 3, 5, 2, 4, False))
    assert autograd._fits(native.Terms(q, k, v, None, None, None))
    assert may_call(q, k, v)
    expected = attend(q, k, v)

    def never(*_: object) -> Tensor:
        raise AssertionError("C was called")

    monkeypatch.setattr(native, "forward", never)
    if how == "autocast":
        with torch.autocast("cpu"):
            out = attend(q, k, v)
    elif how == "exported":

        class Module(torch.nn.Module):
            def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
                return attend(q, k, v)

        out = torch.export.export(Module(), (q, k, v)).module()(q, k, v)
    elif how == "two types":
        out = attend(q, k, v, torch.zeros(2, 3, 5, dtype=torch.float64))
    else:
        if how == "many keys":
            monkeypatch.setattr(native, "MOST_KEYS", 4)
        else:
            monkeypatch.setattr(native, "library", lambda _: None)
        out = attend(q, k, v)
    assert torch.allclose(out.float(), expected, atol=2e-2 if how == "autocast" else 1e-6)
