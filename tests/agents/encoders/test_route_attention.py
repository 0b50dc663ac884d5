"""Scan route attention in C: torch's numbers and gradients, whatever the sizes; ties too."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from agents.encoders import compiled, route_attention
from agents.encoders.route_attention import Fusion, fuse

if route_attention.KERNEL.library(torch.float32) is None:
    pytest.skip("no C compiler", allow_module_level=True)

FUSIONS: tuple[Fusion, ...] = ("cv-relu", "sigmoid")


def leaves(batch: int, cells: int, heads: int, size: int) -> list[Tensor]:
    """Returns scans' results, with memory ordered by route as a scan leaves it, parts and skips."""
    torch.manual_seed(0)
    s = torch.randn(4, batch, cells, heads, size, dtype=torch.float64)
    parts = torch.randn(batch, cells, heads, size, dtype=torch.float64)
    skip = torch.randn(heads, 4, size, dtype=torch.float64)
    return [x.requires_grad_() for x in (s.permute(1, 2, 3, 0, 4), parts, skip)]


def results(of: list[Tensor], fusion: Fusion, threshold: float) -> list[Tensor]:
    out = fuse(of[0], of[1], of[2], fusion, threshold)
    weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out, *torch.autograd.grad((out * weight).sum(), of)]


def by_torch(of: list[Tensor], fusion: Fusion, threshold: float) -> list[Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route_attention, "_fits", lambda *_: False)
        return results(of, fusion, threshold)


def agree(of: list[Tensor], fusion: Fusion, threshold: float) -> None:
    for a, b in zip(results(of, fusion, threshold), by_torch(of, fusion, threshold), strict=True):
        assert a.shape == b.shape
        most = b.abs().max().item() if b.numel() else 0.0
        assert torch.allclose(a, b, rtol=0, atol=1e-11 * max(1.0, most))


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(0, 5),
    cells=st.integers(1, 19),
    heads=st.integers(1, 5),
    size=st.sampled_from([1, 2, 3, 4, 5, 7, 16]),
    fusion=st.sampled_from(FUSIONS),
    threshold=st.sampled_from([0.0, 0.5, 1.1]),
)
def test_c_and_torch_agree(
    batch: int, cells: int, heads: int, size: int, fusion: Fusion, threshold: float
) -> None:
    agree(leaves(batch, cells, heads, size), fusion, threshold)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_equal_routes_share_a_gradient_as_torch_shares_it(fusion: Fusion) -> None:
    """Every way in which some of four routes can be the least, and all of them equal."""
    _, parts, skip = leaves(1, 16, 1, 1)
    which = torch.arange(16).view(1, 16, 1, 1, 1)
    bits = torch.stack([which >> k & 1 for k in range(4)], 3).squeeze(-1)
    s = bits.double().requires_grad_()
    agree([s, parts, torch.full_like(skip, 2.0).requires_grad_()], fusion, 0.25)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_gradients_are_those_of_small_changes(fusion: Fusion) -> None:
    of = leaves(2, 3, 2, 3)
    assert torch.autograd.gradcheck(lambda *x: fuse(*x, fusion, 0.5), of)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_float32_is_right_to_rounding(fusion: Fusion) -> None:
    of = leaves(5, 67, 4, 4)
    rough = results([x.detach().float().requires_grad_() for x in of], fusion, 0.5)
    for a, b in zip(rough, by_torch(of, fusion, 0.5), strict=True):
        assert a.dtype == torch.float32
        assert (a.double() - b).abs().max() < 1e-5 * b.abs().max()


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    of, before, each = leaves(11, 19, 2, 3), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            each.append(results(of, "sigmoid", 0.5))
    finally:
        torch.set_num_threads(before)
    for other in each[1:]:
        assert all(torch.equal(a, b) for a, b in zip(each[0], other, strict=True))


@pytest.mark.parametrize("how", ["autocast", "two types", "two routes", "exported", "asked not to"])
def test_elsewhere_torch_computes_it(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s, parts, skip = (x.detach() for x in leaves(2, 3, 2, 5))
    expected = fuse(s, parts, skip, "sigmoid", 0.5)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("C was called")

    monkeypatch.setattr(route_attention.KERNEL, "run", never)
    if how == "autocast":
        with torch.autocast("cpu"):
            out = fuse(s, parts, skip, "sigmoid", 0.5)
    elif how == "two types":
        out = fuse(s, parts, skip.float(), "sigmoid", 0.5)
    elif how == "two routes":
        assert fuse(s[..., :2, :], parts, skip[:, :2], "sigmoid", 0.5).shape == parts.shape
        return
    elif how == "exported":

        class Module(nn.Module):
            def forward(self, s: Tensor, parts: Tensor, skip: Tensor) -> Tensor:
                return fuse(s, parts, skip, "sigmoid", 0.5)

        out = torch.export.export(Module(), (s, parts, skip)).module()(s, parts, skip)
    else:
        monkeypatch.setattr(route_attention.KERNEL, "library", lambda _: None)
        out = fuse(s, parts, skip, "sigmoid", 0.5)
    assert torch.allclose(out, expected, rtol=0, atol=1e-6)
