"""Multi-Head Scan with Scan Route Attention (MHS-VM: Ji 2024, arXiv 2406.05992).

The channels are projected onto n sub-spaces, one for each head, and each head scans its own along
the routes of one pattern: r0, r0 backwards, r1, r1 backwards. How much the four results of a
cell differ decides how much of their sum is let through (the paper's scan route attention, in
its code the gated fusion unit):

    cv = std_k(y_k) / (mean_k(y_k - min_k y_k) + ε),   z = (Σ_k y_k) · σ(cv - t)
    out = W_o LayerNorm(concat_heads z)

with the unbiased standard deviation over the four routes k, for every cell and channel.

Where we deviate, and why:
- fusion "cv-relu", σ = ReLU and ε = 1e-5, is the paper's and its code's. With four routes cv lies
  between 2/3 and 2, so a threshold below 2/3 only rescales (theirs are 0, 0.4 and 0.5), one above
  it makes cells go silent; and where the routes agree to the last bit, output and gradient are 0.
- fusion "sigmoid" is ours, for reinforcement learning, after the abstract's remark that σ may be
  other functions: never silent, and ε + a hundredth of the routes' root mean square below the
  fraction, so that nearly equal routes (a long run of blank stone) give no gradient of 1/ε.
- `GatedScan` ends with the Linear that figure 1 draws and the code leaves out.
- dropout of whole paths is left out: PPO must see in its update the network it acted with.
- heads need not divide the channels: a head is dim // n wide, as in the code.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.masking import zero_void
from agents.encoders.route_scan import RouteScan
from agents.encoders.routes import PATTERNS, scan_routes

Fusion = Literal["cv-relu", "sigmoid"]


class MultiHeadScan(nn.Module):
    """Maps cells x (batch, height * width, dim), row-major, to the same shape.

    Masked cells neither give nor get anything: they leave the state of every scan as it was, and
    the result there is 0.

    Args:
        dim: channels; each head gets dim // len(routes).
        height: rows of the map.
        width: columns of the map.
        routes: the pattern of each head, see `agents.encoders.routes.scan_routes`.
        state: numbers that each channel of a scan carries on.
        fusion: which σ and ε, see above.
        threshold: t above.
    """

    def __init__(
        self,
        dim: int,
        height: int,
        width: int,
        routes: Sequence[str] = PATTERNS,
        state: int = 16,
        fusion: Fusion = "cv-relu",
        threshold: float = 0.5,
    ) -> None:
        super().__init__()
        if fusion not in ("cv-relu", "sigmoid"):
            raise ValueError(f"fusion is 'cv-relu' or 'sigmoid', not {fusion!r}")
        patterns = scan_routes(height, width)
        if unknown := [name for name in routes if name not in patterns]:
            raise ValueError(f"routes are among {', '.join(patterns)}, not {', '.join(unknown)}")
        self.heads, self.size = len(routes), dim // len(routes)
        self.fusion, self.threshold = fusion, threshold
        both_ways = [torch.stack([r, r.flip(-1)], 1).flatten(0, 1) for r in patterns.values()]
        index = dict(zip(patterns, both_ways, strict=True))
        self.subspaces = nn.Linear(dim, self.heads * self.size, bias=False)
        self.scan = RouteScan(torch.stack([index[name] for name in routes]), self.size, state)
        self.norm = nn.LayerNorm(self.heads * self.size)
        self.out = nn.Linear(self.heads * self.size, dim, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y, shared = self._routes(x, mask)
        mean = mean_of(y)
        fused = len(y) * (mean + shared) * self._gate(y, mean, shared)
        out: Tensor = self.out(self.norm(fused.flatten(2)).to(x.dtype))
        return zero_void(out, mask)

    def route_weights(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the share that the gate lets through at each cell, (batch, cells, heads).

        Means over channels; in [0, 1] with fusion "sigmoid", else 0 or more; 0 at masked cells.
        """
        y, shared = self._routes(x, mask)
        return zero_void(self._gate(y, mean_of(y), shared).mean(-1), mask)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much of each cell passes, (batch, cells): the mean over heads."""
        return self.route_weights(x, mask).mean(-1)

    def _routes(self, x: Tensor, mask: Tensor | None) -> tuple[list[Tensor], Tensor]:
        """Returns each route's result at each cell, less what all share, and what they share.

        The first are four of (batch, cells, heads, size), since elementwise work on one tensor of
        all, with an axis of four before one of few channels, takes twice as long. The second, of
        the same shape, is the mean of D_k times the cell's own features. It is most of y at the
        start, when the steps Δ are small, and cv is blind to it, so leaving it in would only cost
        cv its digits: an error of 1e-3 in float32.
        """
        batch, cells, _ = x.shape
        parts = self.subspaces(zero_void(x, mask)).view(batch, cells, self.heads, self.size)
        y = self.scan(parts, mask)
        y, parts = (t if t.dtype == torch.float64 else t.float() for t in (y, parts))
        skip = self.scan.skip.mean(1)
        own = (self.scan.skip - skip.unsqueeze(1)).unbind(1)
        routes = zip(y.unbind(3), own, strict=True)
        return [route + weight * parts for route, weight in routes], skip * parts

    def _gate(self, y: Sequence[Tensor], mean: Tensor, shared: Tensor) -> Tensor:
        """Returns σ(cv - t), (batch, cells, heads, size).

        Args:
            y: of each route, as `_routes` returns them.
            mean: of these.
            shared: as `_routes` returns it.
        """
        squares = functools.reduce(torch.add, ((route - mean).square() for route in y))
        variance = squares / (len(y) - 1)
        differ = variance > 0
        # The root's slope at 0 is infinite: where all routes agree the gate is given none.
        std = torch.where(differ, variance, 1.0).sqrt() * differ
        spread = mean - functools.reduce(torch.minimum, y)
        if self.fusion == "cv-relu":
            return F.relu(std / (spread + 1e-5) - self.threshold)
        # The mean of the squares of y + shared, by its variance and its mean.
        squares = squares / len(y) + (mean + shared).square()
        floor = 1e-5 + 1e-2 * (squares + 1e-12).sqrt()
        return torch.sigmoid(std / (spread + floor) - self.threshold)


def mean_of(routes: Sequence[Tensor]) -> Tensor:
    """Returns the mean of tensors of one shape."""
    return functools.reduce(torch.add, routes) / len(routes)


class GatedScan(nn.Module):
    """Computes MHS-VM's whole block without its outer norm and residual (`VSSGate` in its code).

    [x, z] = W_in u;  x ← SiLU(DWConv3x3 x);  out = W_out (LayerNorm(MHS(x)) · SiLU(z))

    Shapes and options as `MultiHeadScan`.
    """

    def __init__(
        self,
        dim: int,
        height: int,
        width: int,
        routes: Sequence[str] = PATTERNS,
        state: int = 16,
        fusion: Fusion = "sigmoid",
        threshold: float = 0.5,
    ) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.inside = nn.Linear(dim, 2 * dim, bias=False)
        self.conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.mix = MultiHeadScan(dim, height, width, routes, state, fusion, threshold)
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, u: Tensor, mask: Tensor | None = None) -> Tensor:
        x, z = self._scanned_and_gate(u, mask)
        out: Tensor = self.out(self.norm(self.mix(x, mask)) * F.silu(z))
        return zero_void(out, mask)

    def attention_map(self, u: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much of each cell passes the scan's own gate, (batch, cells)."""
        return self.mix.attention_map(self._scanned_and_gate(u, mask)[0], mask)

    def _scanned_and_gate(self, u: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns what is scanned, and z; both (batch, cells, dim)."""
        # Without a bias what is 0 stays 0, so the convolution sees 0 at masked cells.
        x, z = self.inside(zero_void(u, mask)).chunk(2, dim=-1)
        grid = x.unflatten(1, (self.height, self.width)).permute(0, 3, 1, 2)
        return F.silu(self.conv(grid)).permute(0, 2, 3, 1).flatten(1, 2), z
