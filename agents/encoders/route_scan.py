"""Scans a map along several routes as Mamba scans a sequence: what `scan.py` and `ss2d.py` share.

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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.masking import zero_void
from agents.encoders.selective_scan import scan_map


class RouteScan(nn.Module):
    """Scans features (batch, cells, heads, size) along each head's routes.

    The result s (batch, cells, heads, K, size) is in map order, one entry for each route. The
    parameter `skip` (heads, K, size) holds D.

    Args:
        routes: (heads, K, cells) int64; `routes[h, k, t]` is the cell that route k of head h visits
            at step t.
        size: channels of a head.
        state: numbers of h in each channel.
        rank: width of δ; a sixteenth of `size` by default, as in Mamba.

    Raises:
        ValueError: there is no head, or a size is below 1.
    """

    def __init__(self, routes: Tensor, size: int, state: int = 16, rank: int | None = None) -> None:
        super().__init__()
        self.heads, self.per_head, _ = routes.shape
        self.size, self.state = size, state
        self.rank = rank if rank is not None else math.ceil(size / 16)
        if min(self.heads, size, state, self.rank) < 1:
            raise ValueError(
                f"a scan of {self.heads} heads can't have {size} channels, {state} states and rank"
                f" {self.rank} in each: give it at least one of each, and so at least as many"
                " channels as heads"
            )
        groups = self.heads * self.per_head
        self.register_buffer("order", routes.contiguous(), persistent=False)
        self.register_buffer("back", routes.argsort(dim=-1), persistent=False)
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
        """Returns s (batch, cells, heads, K, size) of x (batch, cells, heads, size).

        What stands at a masked cell (`mask` (batch, cells) is True where valid) counts for nothing
        but must be finite.
        """
        read, step = self.read.unflatten(0, (self.heads, -1)), self.step
        rows = x.flatten(0, 1).transpose(0, 1)  # (heads, batch * cells, size)
        # All of a head's routes read the same features, so one product gives all their gates.
        read = torch.bmm(rows, read.flatten(1, 2).transpose(1, 2)).unflatten(2, (self.per_head, -1))
        low, *gates = read.split([self.rank, self.state, self.state], dim=-1)
        low = low.transpose(1, 2).flatten(0, 1)
        delta = torch.baddbmm(self.step_bias.to(low.dtype).unsqueeze(1), low, step.to(low.dtype))
        # Steps and decays multiply along the whole route: never in half precision.
        delta = F.softplus(delta if delta.dtype == torch.float64 else delta.float())
        delta = delta.unflatten(1, x.shape[:2]).unflatten(0, (self.heads, -1))
        delta = delta.permute(2, 3, 0, 1, 4)
        delta = zero_void(delta, mask)
        B, C = (gate.unflatten(1, x.shape[:2]).permute(1, 2, 0, 3, 4) for gate in gates)
        A = -self.log_rate.to(delta.dtype).exp().view(self.heads, self.per_head, self.size, -1)
        return scan_map(x, delta, A, B, C, self.order, self.back)
