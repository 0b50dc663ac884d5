"""The Triton kernels equal the CPU's. Runs on a CUDA device, or anywhere in Triton's interpreter:

TRITON_INTERPRET=1 pytest tests/agents/encoders/selective_scan/test_cuda.py
"""

import os

import pytest
import torch
from torch import Tensor

from agents.encoders.selective_scan import autograd, native, plain, scan_map

pytest.importorskip("triton", reason="Triton is not installed")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not (INTERPRETED or torch.cuda.is_available()):
    pytest.skip("no CUDA device, and TRITON_INTERPRET is not 1", allow_module_level=True)

from agents.encoders.selective_scan import cuda  # noqa: E402 - it imports Triton

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
    y, starts = plain.forward(*exact, True)
    dy = torch.randn_like(y)
    args = [x.to(DEVICE, dtype) for x in exact]
    actual, states = cuda.forward(*args, True)
    assert (actual.cpu() - y).abs().max() <= tolerance * y.abs().max()
    gradients = plain.backward(dy, *exact, starts)
    grads = cuda.backward(dy.to(DEVICE, dtype), *args, states)
    for a, b in zip(grads, gradients, strict=True):
        assert a.shape == b.shape
        assert (a.cpu() - b).abs().max() <= tolerance * b.abs().max().clamp_min(1e-30)


def test_a_map_is_scanned_along_its_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    order = torch.stack([torch.randperm(7) for _ in range(6)]).view(3, 2, 7).to(DEVICE)
    shapes = ((3, 5), (3, 2, 5), (3, 2, 2), (3, 2, 2))
    u, delta, B, C = (torch.randn(2, 7, *s, dtype=torch.float64, device=DEVICE) for s in shapes)
    args = [u, delta.abs(), -torch.rand(3, 2, 5, 2).double().to(DEVICE), B, C]
    results = []
    for kernels in (cuda, plain):
        monkeypatch.setattr(native, "library", lambda _: None)
        monkeypatch.setattr(autograd, "_kernels", lambda _, kernels=kernels: kernels)
        leaves = [x.clone().requires_grad_() for x in args]
        y = scan_map(*leaves, order, order.argsort(-1))
        results.append((y, *torch.autograd.grad(y.square().sum(), leaves)))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def test_nothing_is_kept_unless_asked() -> None:
    args = [x.to(DEVICE) for x in inputs(2, 1, 3, 5, 7)]
    y, states = cuda.forward(*args, False)
    assert torch.equal(y, cuda.forward(*args, True)[0])
    assert states[0].numel() == 0
