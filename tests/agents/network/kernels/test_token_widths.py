"""Tokens to fewer channels and back in C: torch's numbers and gradients, whatever the sizes."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from agents.encoders import compiled
from agents.network.kernels import token_widths
from agents.network.kernels.token_widths import narrow, widen

if token_widths.KERNEL.library(torch.float32) is None:
    pytest.skip("no C compiler", allow_module_level=True)

Layers = tuple[nn.LayerNorm, nn.Linear, nn.Linear]


def layers(wide: int, few: int) -> Layers:
    """Returns a norm with weights of its own, a layer to fewer channels and one back."""
    torch.manual_seed(0)
    norm, inside, outside = (
        nn.LayerNorm(wide),
        nn.Linear(wide, few),
        nn.Linear(few, wide, bias=False),
    )
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.double(), inside.double(), outside.double()


def tensors(batch: int, tokens: int, wide: int, few: int) -> list[Tensor]:
    """Returns x, place and y."""
    torch.manual_seed(1)
    shapes = [(batch, tokens, wide), (tokens, wide), (batch, tokens, few)]
    return [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes]


def gradients(out: Tensor, of: Sequence[Tensor]) -> list[Tensor]:
    """Returns a result and its gradients, each element of it weighted otherwise."""
    weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)
    return [out, *torch.autograd.grad((out * weight).sum(), of)]


def narrowed(of: list[Tensor], with_layers: Layers, by_torch: bool = False) -> list[Tensor]:
    (x, place, _), (norm, inside, _) = of, with_layers
    out = inside(norm(x + place)) if by_torch else narrow(x, place, norm, inside)
    return gradients(out, [x, place, *norm.parameters(), *inside.parameters()])


def widened(of: list[Tensor], with_layers: Layers, by_torch: bool = False) -> list[Tensor]:
    (x, _, y), (_, _, outside) = of, with_layers
    out = (x + outside(y)).transpose(1, 2) if by_torch else widen(x, y, outside.weight)
    return gradients(out, [x, y, outside.weight])


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(0, 10),
    tokens=st.integers(1, 35),
    wide=st.sampled_from([1, 2, 3, 5, 7, 16, 17, 33, 64]),
    few=st.sampled_from([1, 2, 3, 5, 16, 17]),
)
def test_c_and_torch_agree(batch: int, tokens: int, wide: int, few: int) -> None:
    of, with_layers = tensors(batch, tokens, wide, few), layers(wide, few)
    for way in (narrowed, widened):
        for a, b in zip(way(of, with_layers), way(of, with_layers, by_torch=True), strict=True):
            assert a.shape == b.shape
            most = b.abs().max().item() if b.numel() else 0.0
            assert torch.allclose(a, b, rtol=0, atol=1e-11 * max(1.0, most))


def test_by_hand() -> None:
    """Of 1 and 3 the mean is 2 and the deviation 1, so that they become -1 and 1."""
    norm, inside, outside = nn.LayerNorm(2, eps=0), nn.Linear(2, 1), nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        inside.weight.copy_(torch.tensor([[2.0, 5.0]]))
        inside.bias.fill_(0.5)
        outside.weight.copy_(torch.tensor([[10.0], [20.0]]))
        x, place = torch.tensor([[[0.0, 3.0]]]), torch.tensor([[1.0, 0.0]])
        assert narrow(x, place, norm, inside).tolist() == [[[3.5]]]
        assert widen(x, torch.tensor([[[2.0]]]), outside.weight).tolist() == [[[20.0], [43.0]]]


@pytest.mark.parametrize(("wide", "few"), [(64, 16), (7, 3)])
def test_float32_is_right_to_rounding(wide: int, few: int) -> None:
    of, with_layers = tensors(9, 67, wide, few), layers(wide, few)
    exact = [*narrowed(of, with_layers, by_torch=True), *widened(of, with_layers, by_torch=True)]
    rough_of = [x.detach().float().requires_grad_() for x in of]
    rough_layers: Layers = tuple(layer.float() for layer in with_layers)  # type: ignore[assignment]
    for a, b in zip(
        [*narrowed(rough_of, rough_layers), *widened(rough_of, rough_layers)], exact, strict=True
    ):
        assert a.dtype == torch.float32
        assert (a.double() - b).abs().max() < 1e-5 * b.abs().max()


def test_any_strides_will_do() -> None:
    """As cells come from a convolution, channels first; and what is expanded."""
    (x, place, y), (norm, inside, outside) = tensors(3, 5, 7, 2), layers(7, 2)
    first = x.detach().transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(narrow(first, place, norm, inside), narrow(x, place, norm, inside))
    assert torch.equal(widen(first, y, outside.weight), widen(x, y, outside.weight))
    out = narrow(x, place, norm, inside)
    (grad,) = torch.autograd.grad(out.sum(), x)
    (same,) = torch.autograd.grad(inside(norm(x + place)).sum(), x)
    assert torch.allclose(grad, same, rtol=0, atol=1e-12)


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    of, with_layers, before = tensors(11, 19, 7, 3), layers(7, 3), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append([*narrowed(of, with_layers), *widened(of, with_layers)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_are_those_of_small_changes() -> None:
    (x, place, y), (norm, inside, outside) = tensors(2, 3, 5, 2), layers(5, 2)
    assert torch.autograd.gradcheck(lambda x, p: narrow(x, p, norm, inside), (x, place))
    assert torch.autograd.gradcheck(lambda x, y: widen(x, y, outside.weight), (x, y))


@pytest.fixture
def no_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test whose code is computed in C."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("C was called")

    monkeypatch.setattr(token_widths.KERNEL, "run", never)


@pytest.mark.usefixtures("no_c")
def test_what_has_another_shape_is_torchs_to_broadcast_or_to_refuse() -> None:
    (x, place, y), (norm, inside, outside) = tensors(2, 3, 5, 2), layers(5, 2)
    assert torch.equal(narrow(x, place[:1], norm, inside), inside(norm(x + place[:1])))
    assert torch.equal(widen(x, y[:1], outside.weight), (x + outside(y[:1])).transpose(1, 2))
    bare = nn.LayerNorm(5, elementwise_affine=False)
    assert torch.equal(narrow(x, place, bare, inside), inside(bare(x + place)))
    unbiased = nn.Linear(5, 2, bias=False).double()
    assert torch.equal(narrow(x, place, norm, unbiased), unbiased(norm(x + place)))
    for wrong in (place[:2], place[:, :4]):
        with pytest.raises(RuntimeError, match="size of tensor"):
            narrow(x, wrong, norm, inside)
    with pytest.raises(RuntimeError, match="size of tensor"):
        widen(x, y[:, :2], outside.weight)
    with pytest.raises(RuntimeError, match="shape"):
        narrow(x[..., :4], place[:, :4], nn.LayerNorm(4).double(), inside)


@pytest.mark.parametrize("how", ["autocast", "exported", "asked not to"])
@pytest.mark.usefixtures("no_c")
def test_elsewhere_torch_computes_it(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, place, y = (t.detach().float() for t in tensors(2, 3, 5, 2))
    norm, inside, outside = layers(5, 2)
    for layer in (norm, inside, outside):
        layer.float()

    class Module(nn.Module):
        def forward(self, x: Tensor, place: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return narrow(x, place, norm, inside), widen(x, y, outside.weight)

    module = Module()
    if how == "autocast":
        with torch.autocast("cpu"):
            out = module(x, place, y)
    elif how == "exported":
        module.layers = nn.ModuleList([norm, inside, outside])
        out = torch.export.export(module, (x, place, y)).module()(x, place, y)
    else:
        monkeypatch.setattr(token_widths.KERNEL, "library", lambda _: None)
        out = module(x, place, y)
    for a, b in zip(out, (inside(norm(x + place)), (x + outside(y)).transpose(1, 2)), strict=True):
        assert torch.allclose(a.float(), b, atol=2e-2 if how == "autocast" else 1e-6)
