"""A branch that starts small: a tenth of what it holds, channel by channel."""

import torch
from torch import Tensor, nn

from agents.encoders.scaled import Scaled


class Twice(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return 2 * x if mask is None else 2 * x * mask.unsqueeze(-1)


def test_a_channel_is_scaled_by_its_own_number() -> None:
    branch = Scaled(Twice(), dim=3)
    x = torch.ones(1, 2, 3)
    assert torch.allclose(branch(x), torch.full((1, 2, 3), 0.2))
    with torch.no_grad():
        branch.scale.copy_(torch.tensor([1.0, 0.5, 0.0]))
    mask = torch.tensor([[True, False]])
    assert branch(x, mask).tolist() == [[[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    assert isinstance(branch.mechanism, Twice)
