"""oneDNN's linear layers: the same function and gradients as torch's."""

import pytest
import torch
from torch import nn

from agents.network.kernels.onednn_linear import OneDnnLinear, available, use_onednn

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.network.kernels.onednn_linear.SMALL", 1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_values_and_gradients_are_torchs(batch: int, bias: bool) -> None:
    torch.manual_seed(batch)
    plain, ours = nn.Linear(70, 61, bias=bias), OneDnnLinear(70, 61, bias=bias)
    ours.load_state_dict(plain.state_dict())
    plain = plain.double()
    x = torch.randn(batch, 70, requires_grad=True)
    exact = x.detach().double().requires_grad_()
    out, expected = ours(x), plain(exact)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    up = torch.randn(61, batch).t()  # gradients come in any layout
    out.backward(up)
    expected.backward(up.double())
    torch.testing.assert_close(x.grad.double(), exact.grad, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad.double(), theirs.grad, rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        assert torch.equal(ours(x), out)


def test_an_input_without_gradient_gets_none() -> None:
    layer = OneDnnLinear(70, 61)
    x = torch.randn(3, 70)
    layer(x).sum().backward()
    assert x.grad is None
    assert layer.bias.grad.tolist() == [3.0] * 61


def test_plain_layers_change_and_their_weights_stay() -> None:
    class Own(nn.Linear):
        pass

    module = nn.Sequential(nn.Linear(64, 64), Own(64, 64))
    before = {k: v.clone() for k, v in module.state_dict().items()}
    use_onednn(module)
    assert [type(layer) for layer in module] == [OneDnnLinear, Own]
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_small_products_are_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("oneDNN was called")

    monkeypatch.setattr("agents.network.kernels.onednn_linear.SMALL", 2 * 70 * 61 + 1)
    monkeypatch.setattr("agents.network.kernels.onednn_linear._onednn", refuse)
    layer = OneDnnLinear(70, 61)
    assert layer(torch.randn(2, 70)).shape == (2, 61)
    with pytest.raises(AssertionError, match="was called"):
        layer(torch.randn(3, 70))


def test_what_onednn_is_not_asked_for_goes_torchs_way() -> None:
    layer = OneDnnLinear(70, 61)
    assert layer(torch.randn(2, 3, 70)).shape == (2, 3, 61)
    assert layer(torch.randn(0, 70)).shape == (0, 61)
    assert layer.double()(torch.randn(2, 70).double()).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer.float()(torch.randn(2, 70)).dtype == torch.bfloat16
