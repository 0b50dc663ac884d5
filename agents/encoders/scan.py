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

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.masking import zero_void
from agents.encoders.route_attention import Fusion, apart, fuse, gate, mean_of
from agents.encoders.route_scan import RouteScan
from agents.encoders.routes import PATTERNS, scan_routes


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
        y, parts = self._scanned(x, mask)
        fused = fuse(y, parts, self.scan.skip, self.fusion, self.threshold)
        out: Tensor = self.out(self.norm(fused.flatten(2)).to(x.dtype))
        return zero_void(out, mask)

    def route_weights(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the share that the gate lets through at each cell, (batch, cells, heads).

        Means over channels; in [0, 1] with fusion "sigmoid", else 0 or more; 0 at masked cells.
        """
        routes, shared = apart(*self._scanned(x, mask), self.scan.skip)
        passes = gate(routes, mean_of(routes), shared, self.fusion, self.threshold)
        return zero_void(passes.mean(-1), mask)

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns how much of each cell passes, (batch, cells): the mean over heads."""
        return self.route_weights(x, mask).mean(-1)

    def _scanned(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns what the scans give (batch, cells, heads, K, size), and the cells' own features.

        The second are (batch, cells, heads, size); both are float32 at least.
        """
        batch, cells, _ = x.shape
        parts = self.subspaces(zero_void(x, mask)).view(batch, cells, self.heads, self.size)
        y = self.scan(parts, mask)
        return _at_least_float32(y), _at_least_float32(parts)


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


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
