"""Looking up what glyphs add: the same values and gradients as embedding and convolving."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from agents.network.kernels import glyph_conv as module
from agents.network.kernels.glyph_conv import glyph_conv, library

pytestmark = pytest.mark.skipif(library() is None, reason="there is no C compiler")
GLYPHS = 50


def exact(glyphs: Tensor, embedding: nn.Embedding, conv: nn.Conv2d, blank: Sequence[int]) -> Tensor:
    """By the definition, in float64."""
    weight = embedding.weight.double().clone()
    known = torch.ones(GLYPHS, 1, dtype=torch.float64)
    known[list(blank)] = 0
    cells = (weight * known)[glyphs.long()].permute(0, 3, 1, 2)
    summed = nn.functional.conv2d(
        cells, conv.weight.double(), conv.bias.double(), conv.stride, padding=1
    )
    return torch.relu(summed)


def layers(dim: int, channels: int, stride: int = 1) -> tuple[nn.Embedding, nn.Conv2d]:
    torch.manual_seed(dim)
    return nn.Embedding(GLYPHS, dim), nn.Conv2d(dim, channels, 3, stride=stride, padding=1)


@pytest.mark.parametrize(
    ("dim", "channels", "stride", "shape", "blank"),
    [
        (12, 16, 1, (5, 9, 9), (3, 7)),
        (3, 32, 1, (2, 1, 1), ()),
        (5, 48, 2, (3, 7, 2), (0,)),
        (2, 16, 3, (1, 5, 7), ()),
        (5, 7, 1, (3, 3, 5), (1, 2)),  # torch's own way
    ],
)
@pytest.mark.parametrize("dtype", [torch.int16, torch.float32])
def test_values_and_gradients(
    dim: int,
    channels: int,
    stride: int,
    shape: tuple[int, int, int],
    blank: tuple[int, ...],
    dtype: torch.dtype,
) -> None:
    embedding, conv = layers(dim, channels, stride)
    glyphs = torch.randint(0, 9, shape).to(dtype)
    parameters = [embedding.weight, conv.weight, conv.bias]
    out, expected = (
        glyph_conv(glyphs, embedding, conv, blank),
        exact(glyphs, embedding, conv, blank),
    )
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    up = torch.randn_like(out)
    gradients = torch.autograd.grad(out, parameters, up)
    right = torch.autograd.grad(expected, parameters, up.double())
    for mine, theirs in zip(gradients, right, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_by_hand() -> None:
    """Two cells beside each other: each sees itself in the middle and the other at its side."""
    embedding, conv = layers(1, 16)
    with torch.no_grad():
        embedding.weight.copy_(torch.arange(GLYPHS).float().unsqueeze(1))
        conv.weight.zero_()
        conv.bias.fill_(-1.0)
        conv.weight[0, 0, 1, 1] = 1  # the cell itself
        conv.weight[1, 0, 1, 2] = 10  # the one to its right
        conv.weight[2, 0, 1, 0] = -1  # minus the one to its left: never above 0
    out = glyph_conv(torch.tensor([[[4, 7]]]), embedding, conv)
    assert out[0, :3, 0].tolist() == [[3.0, 6.0], [69.0, 0.0], [0.0, 0.0]]
    assert glyph_conv(torch.tensor([[[4, 7]]]), embedding, conv, (7,))[0, 1, 0, 0] == 0.0


def test_a_glyph_that_is_none_is_an_error_and_spoils_nothing() -> None:
    embedding, conv = layers(2, 16)
    for wrong in (-1, GLYPHS):
        with pytest.raises(ValueError, match="from 0 to 49"):
            glyph_conv(torch.tensor([[[3, wrong]]]), embedding, conv)
    glyphs = torch.tensor([[[3, 5]]])
    torch.testing.assert_close(
        glyph_conv(glyphs, embedding, conv).double(), exact(glyphs, embedding, conv, ())
    )


def test_what_is_no_number_is_not_hidden() -> None:
    embedding, conv = layers(2, 16)
    with torch.no_grad():
        embedding.weight[5] = torch.nan
    assert glyph_conv(torch.tensor([[[5]]]), embedding, conv).isnan().all()


def test_torchs_own_way_where_the_sums_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("the compiled sums were called")

    embedding, conv = layers(2, 16)
    glyphs = torch.tensor([[[3, 5]]])
    expected = glyph_conv(glyphs, embedding, conv)
    monkeypatch.setattr(module, "_call", refuse)
    calls = []
    hook = conv.register_forward_hook(lambda *_: calls.append(1))
    torch.testing.assert_close(glyph_conv(glyphs, embedding, conv), expected)
    assert calls == [1]
    hook.remove()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert glyph_conv(glyphs, embedding, conv).dtype == torch.bfloat16
    assert glyph_conv(glyphs, embedding.double(), conv.double()).dtype == torch.float64
