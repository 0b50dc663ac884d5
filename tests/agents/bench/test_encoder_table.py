"""What is counted of an encoder: operations by hand, and the observations it is shown."""

import torch
from torch import Tensor, nn

from agents.bench.encoder_table import flops, observation_space
from agents.encoders.route_scan import RouteScan
from agents.training.settings.config import TrainConfig


class OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.scan = RouteScan(torch.arange(7).view(1, 1, 7), size=1, state=2, rank=1)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        out: Tensor = self.linear(observations["x"])
        return out


def test_a_product_is_a_multiplication_and_an_addition_each() -> None:
    assert flops(OneLayer(), {"x": torch.ones(2, 3)}) == 2 * 2 * 3 * 5


def test_a_scan_adds_nine_operations_a_step_and_state() -> None:
    class Scanned(OneLayer):
        def forward(self, observations: dict[str, Tensor]) -> Tensor:
            out: Tensor = self.scan(observations["u"])
            return out

    counted = flops(Scanned(), {"u": torch.ones(2, 7, 1, 1)})
    products = 2 * (2 * 7) * (1 + 2 * 2) + 2 * (2 * 7)  # reading gates and steps
    assert counted == products + 9 * 2 * 7 * 2


def test_only_semantics_looks_back() -> None:
    config = TrainConfig()
    now = {*config.keys, "progress"}
    assert set(observation_space(config, "cnn").spaces) == now
    looking_back = set(observation_space(config, "semantics").spaces)
    assert looking_back - now == {"window_crop", "semantics", "window_valid"}
