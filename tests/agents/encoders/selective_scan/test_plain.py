"""The plain kernels: one scan worked by hand, and how time and batch are cut into blocks."""

import pytest
import torch

from agents.encoders.selective_scan import plain


def test_a_scan_worked_by_hand() -> None:
    """No decay (A = 0), steps of 1 and 2: h = 3, 3 + 2 * 5 = 13; y = 1 * 3, -1 * 13."""

    def steps(*values: float) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64).view(2, 1, 1, 1, 1)

    u, delta, B, C = steps(3, 5), steps(1, 2), steps(1, 1), steps(1, -1)
    A = torch.zeros(1, 1, 1, dtype=torch.float64)
    y, starts = plain.forward(u, delta, A, B, C, keep=True)
    assert y.flatten().tolist() == [3, -13]
    du, d_delta, dA, dB, dC = plain.backward(torch.ones_like(y), u, delta, A, B, C, starts)
    # y_1 = C_1 u_1 and y_2 = C_2 (u_1 + 2 u_2); h_1 decays by exp(2 A) on its way to y_2.
    assert du.flatten().tolist() == [1 - 1, -2]
    assert d_delta.flatten().tolist() == [3 - 3, -5]
    assert dA.item() == -1 * 2 * 3
    assert dB.flatten().tolist() == [3 - 3, -10]
    assert dC.flatten().tolist() == [3, 13]


@pytest.mark.parametrize(
    ("block", "steps", "batches"), [(1 << 17, 7, [(0, 5)]), (24, 2, [(0, 2), (2, 4), (4, 5)])]
)
def test_blocks_hold_what_fits(
    block: int, steps: int, batches: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """States of 6 numbers: 24 hold 4, so 2 samples for 2 steps where a block has 2 at least."""
    monkeypatch.setattr(plain, "BLOCK", block)
    monkeypatch.setattr(plain, "SHORTEST", 2)
    fitting, slices = plain._tiles(torch.zeros(7, 5, 1, 1, 2), torch.zeros(3, 1, 2))
    assert fitting == steps
    assert [(part.start, part.stop) for part in slices] == batches
