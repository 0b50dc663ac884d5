"""The Triton kernels equal the CPU's. Runs on a CUDA device, or anywhere in Triton's interpreter:

TRITON_INTERPRET=1 pytest tests/agents/encoders/test_selective_scan_cuda.py
"""

import os

import pytest
import torch
from torch import Tensor

from agents.encoders import selective_scan as cpu

pytest.importorskip("triton", reason="Triton is not installed")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not (INTERPRETED or torch.cuda.is_available()):
    pytest.skip("no CUDA device, and TRITON_INTERPRET is not 1", allow_module_level=True)

from agents.encoders import selective_scan_cuda as cuda  # noqa: E402 - it imports Triton

DEVICE = "cpu" if INTERPRETED else "cuda"
SIZES = [(2, 3, 5, 7, 19), (1, 1, 2, 3, 1), (3, 2, 3, 5, 16), (2, 1, 37, 16, 33)]


def inputs(batch: int, groups: int, size: int, state: int, length: int) -> list[Tensor]:
    torch.manual_seed(0)
    step = (length, batch, 1, groups, size)
    gate = (length, batch, state, groups, 1)
    raw = [torch.randn(step), torch.rand(step), -torch.rand(state, groups, size)]
    return [x.double() for x in (*raw, torch.randn(gate), torch.randn(gate))]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_same_values_and_gradients(
    sizes: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    exact = inputs(*sizes)
    y, starts = cpu._forward(*exact, True)
    dy = torch.randn_like(y)
    args = [x.to(DEVICE, dtype) for x in exact]
    got, kept = cuda.forward(*args, True)
    assert (got.cpu() - y).abs().max() <= tolerance * y.abs().max()
    wanted = cpu._backward(dy, *exact, starts)
    grads = cuda.backward(dy.to(DEVICE, dtype), *args, kept)
    for a, b in zip(grads, wanted, strict=True):
        assert a.shape == b.shape
        assert (a.cpu() - b).abs().max() <= tolerance * b.abs().max().clamp_min(1e-30)


def test_nothing_is_kept_unless_asked() -> None:
    args = [x.to(DEVICE) for x in inputs(2, 1, 3, 5, 7)]
    y, kept = cuda.forward(*args, False)
    assert torch.equal(y, cuda.forward(*args, True)[0])
    assert kept[0].numel() == 0
