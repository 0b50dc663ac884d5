"""Each mechanism alone, outside reinforcement learning: it classifies digits that it has not seen.

It is the only part of the network that is not linear, so that a network whose mechanism passes
its input on, or does nothing with it, guesses: one of ten.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from agents.encoders import (
    MECHANISMS,
    SS2D,
    AgentAttention,
    ClassSemanticsAttention,
    GatedScan,
    GaussianAdaptiveAttention,
    MultiHeadScan,
    PooledSoftmaxAttention,
    SoftmaxAttention,
    SqueezeExcitation,
)

DIM, TRAINED_ON = 32, 1400


@cache
def digits() -> tuple[Tensor, Tensor]:
    """1,797 pictures of 8 x 8 pixels in [0, 1], (1797, 64), and their digits, in random order."""
    pixels, labels = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return pixels[order].float() / 16, labels[order]


class OverCells(nn.Module):
    """Embeds pixels and their places, mixes them, and reads their mean."""

    def __init__(self, mix: nn.Module) -> None:
        super().__init__()
        self.ink, self.places = nn.Linear(1, DIM), nn.Parameter(torch.randn(64, DIM))
        self.mix, self.read = mix, nn.Linear(DIM, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.read(self.mix(self.ink(pixels.unsqueeze(2)) + self.places).mean(1))
        return logits


class OverTime(nn.Module):
    """Reads features that are the same for all pictures, gated by the rows of the picture."""

    def __init__(self, mix: nn.Module) -> None:
        super().__init__()
        self.features = nn.Parameter(torch.randn(DIM, 8))
        self.mix, self.read = mix, nn.Linear(DIM, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        rows = pixels.unflatten(1, (8, 8)).transpose(1, 2)  # columns are classes, rows are time
        features = self.features.expand(len(pixels), -1, -1)
        logits: Tensor = self.read(self.mix(rows, features).mean(2))
        return logits


def share_right(make: Callable[[], nn.Module], epochs: int, learning_rate: float = 0.03) -> float:
    """Trains a network, and returns the share of 397 unseen digits that it gets right."""
    torch.manual_seed(0)
    mix = make()
    net = OverTime(mix) if isinstance(mix, ClassSemanticsAttention) else OverCells(mix)
    optimizer = torch.optim.Adam(net.parameters(), learning_rate)
    pixels, labels = digits()
    for _ in range(epochs):
        for batch in torch.randperm(TRAINED_ON).split(50):
            loss = nn.functional.cross_entropy(net(pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = net(pixels[TRAINED_ON:]).argmax(1) == labels[TRAINED_ON:]
    return right.float().mean().item()


MIXES: dict[str, tuple[Callable[[], nn.Module], int, float]] = {
    "agent": (lambda: AgentAttention(DIM, 4, 8, 8, (3, 3)), 5, 0.01),
    "gaussian": (lambda: GaussianAdaptiveAttention(DIM), 9, 0.1),
    "gaussian softmax": (lambda: GaussianAdaptiveAttention(DIM, form="softmax"), 8, 0.03),
    "gaussian mixture": (lambda: GaussianAdaptiveAttention(DIM, form="mixture"), 6, 0.1),
    "semantics": (lambda: ClassSemanticsAttention(8, DIM, 8), 5, 0.01),
    "scan": (lambda: MultiHeadScan(DIM, 8, 8, ("C", "S"), 2, "sigmoid"), 4, 0.02),
    "gated scan": (lambda: GatedScan(DIM, 8, 8, ("C", "S"), 2), 2, 0.02),
    "ss2d": (lambda: SS2D(DIM, 8, 8, 1, 2), 2, 0.02),
    "softmax": (lambda: SoftmaxAttention(DIM, 4), 6, 0.01),
    "pooled": (lambda: PooledSoftmaxAttention(DIM, 4, 8, 8, (3, 3)), 4, 0.01),
}


@pytest.mark.parametrize("name", MIXES)
def test_it_classifies_digits(name: str) -> None:
    assert share_right(*MIXES[name]) > 0.5


@pytest.mark.parametrize("mix", [nn.Identity, lambda: SqueezeExcitation(DIM)], ids=["none", "se"])
def test_what_only_sees_how_much_ink_there_is_guesses(mix: Callable[[], nn.Module]) -> None:
    """Means over the map are all that no mechanism, or squeeze-and-excitation, makes use of."""
    assert share_right(mix, epochs=9, learning_rate=0.1) < 0.2


def test_every_mechanism_is_tried() -> None:
    tried = {type(make()).__name__ for make, _, _ in MIXES.values()}
    assert {entry.name for entry in MECHANISMS.values()} - tried == {"SqueezeExcitation"}
