"""SS2D, the four-way scan of VMamba and VM-UNet: the baseline of `scan.py`.

    [x, z] = W_in u;  x ← SiLU(DWConv3x3 x)
    y = Σ_k Scan_k(x), k: row by row, column by column, and both backwards
    out = W_out (LayerNorm(y) · SiLU(z))

Sources: VMamba (Liu et al. 2024, arXiv 2401.10166) and VM-UNet's code, whose sizes
these are: inner width expand * dim, rank ⌈dim / 16⌉, state 16. Their `expand` is 2; 1 is the same
net without the widening that MHS-VM leaves out, so that the two can be told apart.
Left out: dropout. Masked cells are left out of the convolution and skipped by the scans.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.encoders.masking import zero_void
from agents.encoders.route_scan import RouteScan
from agents.encoders.routes import scan_routes


class SS2D(nn.Module):
    """Maps cells x (batch, height * width, dim), row-major, to the same shape.

    The mask (batch, cells) is True where a cell is valid; None where all are.

    Args:
        dim: channels.
        height: rows of the map.
        width: columns of the map.
        expand: inner channels over `dim`.
        state: numbers that each channel of a scan carries on.
    """

    def __init__(self, dim: int, height: int, width: int, expand: int = 2, state: int = 16) -> None:
        super().__init__()
        self.height, self.width = height, width
        inner = expand * dim
        plain = scan_routes(height, width)["Z"]
        self.inside = nn.Linear(dim, 2 * inner, bias=False)
        self.conv = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        routes = torch.cat([plain, plain.flip(-1)]).unsqueeze(0)  # one head of four routes
        self.scan = RouteScan(routes, inner, state, rank=math.ceil(dim / 16))
        self.norm = nn.LayerNorm(inner)
        self.out = nn.Linear(inner, dim, bias=False)

    def forward(self, u: Tensor, mask: Tensor | None = None) -> Tensor:
        # Without a bias what is 0 stays 0, so the convolution sees 0 at masked cells.
        x, z = self.inside(zero_void(u, mask)).chunk(2, dim=-1)
        grid = x.unflatten(1, (self.height, self.width)).permute(0, 3, 1, 2)
        x = F.silu(self.conv(grid)).permute(0, 2, 3, 1).flatten(1, 2)
        y = self.scan(x.unsqueeze(2), mask)[:, :, 0].sum(2) + self.scan.skip.sum((0, 1)) * x
        out: Tensor = self.out(self.norm(y).to(z.dtype) * F.silu(z))
        return zero_void(out, mask)
