"""The network of the bench has the size of its name, and is the same with sums looked up."""

import pytest
import torch

from agents.bench.network import SIZES, BenchNetwork, LookUpNetwork


@pytest.mark.parametrize(("size", "thousands"), [("M", 528), ("S", 253)])
def test_a_size_has_as_many_numbers_as_its_table_says(size: str, thousands: int) -> None:
    network = BenchNetwork(size)
    heads = (SIZES[size].joint + 1) * (10 + 1)  # ten actions of KeyRoom, and the value
    assert (sum(p.numel() for p in network.parameters()) + heads) / 1000 == pytest.approx(
        thousands, abs=0.5
    )


def test_ours_computes_the_same() -> None:
    torch.manual_seed(0)
    plain, ours = BenchNetwork("S"), LookUpNetwork("S")
    ours.load_state_dict(plain.state_dict())
    crop, message = torch.randint(0, 5977, (3, 9, 9)), torch.randint(0, 256, (3, 256))
    status = torch.randint(-9, 99, (3, 27))
    assert torch.allclose(plain(crop, status, message), ours(crop, status, message), atol=1e-6)
