"""Mamba's scan along several routes over a map: the engine of `scan.py` and `ss2d.py`.

The features of each head are read in the order of each of its routes; every route has its own
weights, reads its own gates off what it sees and scans; results are put back in map order.

    [δ_t, B_t, C_t] = W_r u_t,  Δ_t = softplus(V_r δ_t + b_r),  A_r = -exp(a_r)
    h_t = exp(Δ_t A_r) h_{t-1} + Δ_t B_t u_t,   s_t = C_t h_t,   y_t = s_t + D_r u_t

Source: Mamba (arXiv 2312.00752), VMamba's SS2D (arXiv 2401.10166), MHS-VM (arXiv 2406.05992
and its code, commit be64b6f). Initialisation is theirs.

Where we go beyond: Δ is set to 0 at masked cells, so that they leave the state as it was. And the
scan gives s; the skip D u, which needs no route, is its callers' to add in map order.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.selective_scan import selective_scan


class RouteScan(nn.Module):
    """Scan (batch, cells, heads, size) along `routes` (heads, K, cells) of each head.

    The result s (batch, cells, heads, K, size) is in map order, one entry for each route.
    `routes[h, k, t]` is the cell that route k of head h visits at step t. `skip` (heads, K, size)
    holds D.
    """

    def __init__(self, routes: Tensor, size: int, state: int = 16, rank: int | None = None) -> None:
        super().__init__()
        self.heads, self.per_head, _ = routes.shape
        self.size, self.state = size, state
        self.rank = rank if rank is not None else math.ceil(size / 16)
        groups = self.heads * self.per_head
        order = routes.permute(2, 0, 1)  # (t, head, route): when what is visited
        back = routes.argsort(dim=-1).permute(2, 0, 1)  # (cell, head, route): when it is
        self.register_buffer("order", order.contiguous(), persistent=False)
        self.register_buffer("back", back.contiguous(), persistent=False)
        self.order: Tensor
        self.back: Tensor

        self.read = nn.Parameter(torch.empty(groups, self.rank + 2 * state, size))
        self.step = nn.Parameter(torch.empty(groups, self.rank, size))
        self.step_bias = nn.Parameter(torch.empty(groups, size))
        self.log_rate = nn.Parameter(
            torch.arange(1.0, state + 1).log().repeat(groups * size, 1)  # A = -1, -2, ..., -state
        )
        self.skip = nn.Parameter(torch.ones(self.heads, self.per_head, size))
        bound = size**-0.5  # nn.Linear's own
        nn.init.uniform_(self.read, -bound, bound)
        bound = self.rank**-0.5
        nn.init.uniform_(self.step, -bound, bound)
        with torch.no_grad():
            # Δ at first log-uniform in [0.001, 0.1]; the bias is its inverse softplus.
            delta = torch.empty_like(self.step_bias).uniform_(math.log(1e-3), math.log(1e-1)).exp()
            self.step_bias.copy_(delta.clamp_min(1e-4).expm1().log())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (batch, cells, heads, size), mask (batch, cells) True where valid."""
        batch, cells = x.shape[:2]
        groups = self.heads * self.per_head
        walked: Tensor = _Walk.apply(x, self.order, self.back)  # (cells, batch, heads, K, size)
        rows = walked.view(cells * batch, groups, self.size).transpose(0, 1)
        read = torch.bmm(rows, self.read.transpose(1, 2))
        low, *gates = read.split([self.rank, self.state, self.state], dim=-1)
        delta = torch.baddbmm(self.step_bias.to(low.dtype).unsqueeze(1), low, self.step)
        # Steps and decays multiply along the whole route: never in half precision.
        delta = F.softplus(delta if delta.dtype == torch.float64 else delta.float())
        delta = delta.transpose(0, 1).view(cells, batch, groups, self.size)
        if mask is not None:
            valid = mask.t()[self.order].permute(0, 3, 1, 2)  # (t, batch, head, route)
            delta = delta * valid.reshape(cells, batch, groups, 1)
        B, C = (x.unflatten(1, (cells, batch)).permute(2, 0, 3, 1) for x in gates)
        y = selective_scan(
            walked.flatten(2).permute(1, 2, 0),
            delta.flatten(2).permute(1, 2, 0),
            -self.log_rate.to(delta.dtype).exp(),
            B,
            C,
        )
        y = y.permute(2, 0, 1).reshape(cells, batch, self.heads, self.per_head, self.size)
        back: Tensor = _Return.apply(y, self.order, self.back)
        return back


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows x[i] of a tensor seen as (rows, size), one for each entry i of `index`."""
    return x.reshape(-1, x.shape[-1]).index_select(0, index.flatten()).view(*index.shape, -1)


class _Walk(torch.autograd.Function):
    """(batch, cells, heads, size) to the order of the routes, (cells, batch, heads, K, size).

    Indexing's own gradient would scatter (slowly, and on CUDA by atomics, in no fixed order).
    A permutation's gradient is the inverse permutation: again a gather.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(order, back)
        batch, cells, heads, _ = x.shape
        head = torch.arange(heads, device=x.device).view(-1, 1)
        sample = torch.arange(batch, device=x.device).view(-1, 1, 1)
        return _rows(x, (sample * cells + order.unsqueeze(1)) * heads + head)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _to_map(grad, ctx.saved_tensors[1]).sum(3), None, None


class _Return(torch.autograd.Function):
    """(cells, batch, heads, K, size) to the order of the map, (batch, cells, heads, K, size)."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return _to_map(y, back)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (order,) = ctx.saved_tensors
        batch, cells, heads, routes, _ = grad.shape
        lane = torch.arange(heads * routes, device=grad.device).view(heads, routes)
        sample = torch.arange(batch, device=grad.device).view(-1, 1, 1)
        at = (sample * cells + order.unsqueeze(1)) * heads * routes + lane
        return _rows(grad, at), None, None


def _to_map(y: Tensor, back: Tensor) -> Tensor:
    batch, heads, routes = y.shape[1:4]
    lane = torch.arange(heads * routes, device=y.device).view(heads, routes)
    sample = torch.arange(batch, device=y.device).view(-1, 1, 1, 1)
    return _rows(y, (back * batch + sample) * heads * routes + lane)
