"""Pooling and resizing say what torch's own operators say, on maps of any shape, with a mask."""

import pytest
import torch
import torch.nn.functional as F

from agents.encoders.pooling import bins, masked_pool, resizing

SIZES = [(21, 79, 3, 9), (21, 79, 7, 7), (5, 7, 2, 3), (9, 9, 3, 3), (2, 3, 2, 3), (3, 2, 5, 7)]


def test_bins_by_hand() -> None:
    # 5 cells into 2 bins: [0, 3) and [2, 5), the middle one in both.
    assert bins(5, 2).tolist() == [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]
    assert bins(4, 2).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize(("height", "width", "rows", "columns"), SIZES)
def test_pooling_is_adaptive_average_pooling(
    height: int, width: int, rows: int, columns: int
) -> None:
    x = torch.randn(2, height * width, 3, dtype=torch.float64)
    pooled, count = masked_pool(x, bins(height, rows), bins(width, columns))
    grid = x.transpose(1, 2).unflatten(2, (height, width))
    expected = F.adaptive_avg_pool2d(grid, (rows, columns)).flatten(2).transpose(1, 2)
    assert torch.allclose(pooled, expected, rtol=0, atol=1e-14)
    assert count.shape == (1, rows * columns, 1)


def test_only_valid_cells_are_pooled_and_empty_bins_are_zero() -> None:
    x = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])  # one row of four cells, two bins
    mask = torch.tensor([[True, False, False, False]])
    pooled, count = masked_pool(x, bins(1, 1), bins(4, 2), mask)
    assert pooled.flatten().tolist() == [1, 0]
    assert count.flatten().tolist() == [1, 0]


@pytest.mark.parametrize(("height", "width"), [(21, 79), (9, 9), (5, 7), (2, 3), (7, 7)])
def test_resizing_is_bilinear_interpolation(height: int, width: int) -> None:
    table = torch.randn(5, 7, 7, dtype=torch.float64)
    resized = resizing(height, 7) @ table @ resizing(width, 7).t()
    expected = F.interpolate(table.unsqueeze(0), (height, width), mode="bilinear")[0]
    assert torch.allclose(resized, expected, rtol=0, atol=1e-13)
