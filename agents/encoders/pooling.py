"""Pools a map to a coarser grid, and resizes a table to a map, as products of two matrices.

`adaptive_avg_pool2d` and `interpolate` compute the same, but their gradients on CUDA add with
atomics in no fixed order; these are exact sums in any precision, on any device, and take a mask.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.encoders.masking import zero_void


def bins(size: int, count: int) -> Tensor:
    """Returns which cells adaptive pooling puts into which bin, (count, size) float32 of 0 and 1.

    Bin i covers ⌊i size / count⌋ up to, not including, ⌈(i + 1) size / count⌉, so neighbours
    overlap where `count` does not divide `size`.
    """
    i, x = torch.arange(count).unsqueeze(1), torch.arange(size)
    return ((x >= i * size // count) & (x < -(-(i + 1) * size // count))).float()


def masked_pool(
    x: Tensor, rows: Tensor, columns: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the mean of the valid cells in each bin of a grid of P x Q bins.

    Args:
        x: (batch, height * width, dim).
        rows: `bins(height, P)`.
        columns: `bins(width, Q)`.
        mask: (batch, height * width), True where valid; None for all.

    Returns:
        (batch, P * Q, dim), 0 in bins without a valid cell, and how many valid cells each bin has,
        (batch or 1, P * Q, 1).
    """
    # The statistics are float32 whatever the layers around run in.
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    with torch.autocast(device_type=x.device.type, enabled=False):
        rows, columns = rows.to(wide), columns.to(wide)
        grid = zero_void(x.to(wide), mask)
        valid = torch.ones_like(x[:1, :, :1], dtype=wide) if mask is None else mask.to(wide)
        total = _sum(grid, rows, columns)
        count = _sum(valid.view(-1, x.shape[1], 1), rows, columns)
        return (total / count.clamp_min(1)).to(x.dtype), count


def _sum(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Returns the sums of x (batch, height * width, dim) over bins, (batch, P * Q, dim)."""
    grid = x.unflatten(1, (rows.shape[1], columns.shape[1]))
    across = torch.matmul(columns, grid)  # (batch, height, Q, dim)
    pooled = torch.matmul(rows, across.flatten(2))  # (batch, P, Q * dim)
    return pooled.view(x.shape[0], rows.shape[0] * columns.shape[0], x.shape[2])


def resizing(size: int, table: int) -> Tensor:
    """Returns (size, table) float64: rows that interpolate linearly among `table` entries.

    Cell x is at (x + ½) table / size - ½ in the table, held inside it: `interpolate` with
    mode="bilinear", align_corners=False, along one axis.
    """
    at = ((torch.arange(size, dtype=torch.float64) + 0.5) * table / size - 0.5).clamp(0, table - 1)
    distance = (at.unsqueeze(1) - torch.arange(table)).abs()
    return (1 - distance).clamp_min(0)
