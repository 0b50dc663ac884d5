"""Lays routes over a map: orders in which a scan can visit its cells.

Four patterns of two routes each, after MHS-VM (Ji 2024, arXiv 2406.05992, and its
`scanutils`): C boustrophedon, X diagonal zig-zag, S inward spiral, Z plain raster.
"""

from __future__ import annotations

import torch
from torch import Tensor

PATTERNS = ("C", "X", "S", "Z")


def scan_routes(height: int, width: int) -> dict[str, Tensor]:
    """Returns the two routes of each pattern, by its letter, int64 (2, height * width).

    `routes["S"][0, t]` is the row-major index i * width + j of the cell that the first spiral
    visits at step t. Every route visits every cell once.

    C: rows with every odd one reversed; columns likewise.
    X: diagonals i + j = 0, 1, ..., the even ones upwards (i falling), the odd ones downwards;
       and the same with columns mirrored.
    S: clockwise inward spiral from the top left; and the same with rows mirrored. On an odd
       square, a crop with the hero in the middle, it ends on the hero.
    Z: row by row; column by column.
    """
    cell = torch.arange(height * width).view(height, width)
    rows, columns = cell.clone(), cell.t().clone()
    rows[1::2], columns[1::2] = rows[1::2].flip(1), columns[1::2].flip(1)
    return {
        "C": torch.stack([rows.flatten(), columns.flatten()]),
        "X": torch.stack([_diagonals(cell), _diagonals(cell.flip(1))]),
        "S": torch.stack([_spiral(cell), _spiral(cell.flip(0))]),
        "Z": torch.stack([cell.flatten(), cell.t().flatten()]),
    }


def _diagonals(cell: Tensor) -> Tensor:
    """Returns cells (height, width) by anti-diagonals: odd ones downwards, even ones upwards."""
    height, width = cell.shape
    mirrored = cell.flip(1)  # puts the cells of an anti-diagonal on a diagonal
    lines = [mirrored.diagonal(width - 1 - k) for k in range(height + width - 1)]
    return torch.cat([line if k % 2 else line.flip(0) for k, line in enumerate(lines)])


def _spiral(cell: Tensor) -> Tensor:
    """Returns cells (height, width) in a clockwise inward spiral from the top left.

    The top row is taken off and the rest turned a quarter to the left, until nothing is left.
    """
    peeled = []
    while cell.numel():
        peeled.append(cell[0])
        cell = cell[1:].rot90()
    return torch.cat(peeled)
