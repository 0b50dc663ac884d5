"""A scan along routes, worked by hand: two cells, one head, there and back."""

import pytest
import torch

from agents.encoders.route_scan import RouteScan


def test_two_routes_of_two_cells_worked_by_hand() -> None:
    """With B = C = 1, Δ = 1 and A = -ln 2, h_t = h_{t-1} / 2 + u_t and s_t = h_t."""
    scan = RouteScan(torch.tensor([[[0, 1], [1, 0]]]), size=1, state=1, rank=1)
    with torch.no_grad():
        scan.read.zero_()
        scan.read[:, 1:] = 0.5  # B and C are half of what is read
        scan.step.zero_()
        scan.step_bias.fill_(torch.tensor(1.0).expm1().log())  # softplus gives 1
        scan.log_rate.fill_(torch.tensor(2.0).log().log())
    s = scan(torch.tensor([[[[2.0]], [[4.0]]]]))
    assert s.shape == (1, 2, 1, 2, 1)
    # Δ B u = u² / 2: 2 and 8. Forwards h = 2, then 1 + 8 = 9; backwards 8, then 4 + 2 = 6.
    # s = C h with C = u / 2: 1 and 2.
    assert s[0, :, 0, 0, 0].tolist() == pytest.approx([2.0, 18.0])
    assert s[0, :, 0, 1, 0].tolist() == pytest.approx([6.0, 16.0])
    masked = scan(torch.tensor([[[[2.0]], [[4.0]]]]), torch.tensor([[False, True]]))
    assert masked[0, 1, 0, :, 0].tolist() == pytest.approx([16.0, 16.0])  # nothing came before
