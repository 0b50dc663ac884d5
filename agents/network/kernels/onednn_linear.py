"""Computes linear layers by oneDNN, on processors where torch's own matrix product is slow.

torch multiplies float32 matrices with MKL, which takes AVX2 on processors that are not Intel's: on
an AMD EPYC (Zen 5) a 256 x 1600 x 256 product ran at 111 GFLOP/s with it and at 249 with oneDNN,
which torch also holds and uses for convolutions. The numbers are the same to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SMALL = 1 << 20
"""Multiplications below which the call costs more than the product saves."""


class _Product(torch.autograd.Function):
    """Computes x (B, in), weight (out, in), bias (out,) to (B, out), and gradients, by oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return _onednn(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad
        return (
            _onednn(grad, weight.t()) if need_x else None,
            _onednn(grad.t(), x.t()) if need_weight else None,
            grad.sum(0) if need_bias and ctx.biased else None,
        )


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x (B, in) times weight (out, in) transposed, plus a bias (out,): (B, out)."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


class OneDnnLinear(nn.Linear):
    """`nn.Linear` whose large products are oneDNN's where the input is float32 on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        if (
            input.ndim != 2
            or input.dtype != torch.float32
            or not input.is_cpu
            or len(input) * self.weight.numel() < SMALL
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
        ):
            return super().forward(input)
        if torch.is_grad_enabled():
            return _Product.apply(input, self.weight, self.bias)  # type: ignore[no-any-return]
        return _onednn(input, self.weight, self.bias)


def use_onednn(module: nn.Module) -> None:
    """Makes the linear layers inside `module` use oneDNN for large products, if this torch has it.

    Weights, names and `state_dict` stay as they are.
    """
    if not available():
        return
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = OneDnnLinear


def available() -> bool:
    """Returns whether this torch was built with oneDNN and offers its product."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
