"""The Triton kernels equal the CPU's, on a CUDA device or anywhere in Triton's interpreter.

The first test starts the interpreter, in a process of its own. It needs Triton, which comes with
torch's CUDA build and can be installed beside the CPU's (`pip install triton==3.7.1`, a wheel of
189 MiB, goes with torch 2.13).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.encoders.selective_scan import autograd, native, plain, scan_map

triton = pytest.importorskip(
    "triton", reason="Triton, in which the kernels for CUDA are written, is not installed"
)

from triton.backends.compiler import GPUTarget  # noqa: E402 - where there is Triton
from triton.compiler import ASTSource  # noqa: E402

from agents.encoders.selective_scan import cuda  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
runs_kernels = pytest.mark.skipif(
    not (INTERPRETED or torch.cuda.is_available()),
    reason="no CUDA device, and TRITON_INTERPRET is not 1",
)
DEVICE = "cpu" if INTERPRETED else "cuda"
NUMBERS = ("length", "channels", "state")
"""Arguments of the kernels that are no tensors."""
SIZES = [(2, 3, 5, 7, 19), (1, 1, 2, 3, 1), (3, 2, 3, 5, 16), (2, 1, 37, 16, 33)]


def inputs(batch: int, groups: int, size: int, state: int, length: int) -> list[Tensor]:
    torch.manual_seed(0)
    step = (length, batch, 1, groups, size)
    gate = (length, batch, state, groups, 1)
    raw = [torch.randn(step), torch.rand(step), -torch.rand(state, groups, size)]
    return [x.double() for x in (*raw, torch.randn(gate), torch.randn(gate))]


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", __file__]
    env = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(SIZES) * 2 + 2} passed" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="the interpreter compiles nothing")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("number", ["fp32", "fp64"])
@pytest.mark.parametrize("ones", [(), NUMBERS], ids=["any", "of 1"])
def test_they_compile_without_a_card(
    capability: int,
    number: str,
    ones: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Triton compiles apart for arguments that are 1."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    target = GPUTarget("cuda", capability, 32)
    widths = {"S": 1, "N": 1} if ones else {"S": 32, "N": 16}
    fixed = {"STEPS": cuda.STEPS, "KEEP": True, **widths, **dict.fromkeys(ones, 1)}
    for kernel in (cuda._forward_kernel, cuda._backward_kernel):
        types = {name: "i32" if name in NUMBERS else f"*{number}" for name in kernel.arg_names}
        constants = {name: value for name, value in fixed.items() if name in types}
        source = ASTSource(kernel, types | dict.fromkeys(constants, "constexpr"), constants)
        assert triton.compile(source, target=target, options={"num_warps": 1}).asm["cubin"]


@runs_kernels
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


@runs_kernels
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


@runs_kernels
def test_nothing_is_kept_unless_asked() -> None:
    args = [x.to(DEVICE) for x in inputs(2, 1, 3, 5, 7)]
    y, states = cuda.forward(*args, False)
    assert torch.equal(y, cuda.forward(*args, True)[0])
    assert states[0].numel() == 0
