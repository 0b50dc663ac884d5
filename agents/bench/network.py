"""The network of `calm bench train`, the same for all contestants.

Two convolutions over the crop of glyphs, message and status beside it, one joint layer.

    size   embedding   convolutions   crop   message, status   joint   parameters with heads
    M      16          32, 32         128    64, 64            256     528k
    S      8           16, 16         128    32, 32            128     253k, a third of the work
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.bench.settings import KEYS
from agents.network.kernels.glyph_conv import glyph_conv
from agents.network.kernels.minibatch_chunks import Repeated
from agents.network.vector_parts import GLYPHS


class Size(NamedTuple):
    """Widths of the layers."""

    embedding: int
    """Of a glyph."""
    channels: int
    """Of both convolutions."""
    crop: int
    """Features of the crop."""
    side: int
    """Features of the message, and of the status."""
    joint: int
    """Features of all together."""


SIZES = {"M": Size(16, 32, 128, 64, 256), "S": Size(8, 16, 128, 32, 128)}


class BenchNetwork(nn.Module):
    """Encodes crop (B, 9, 9), status (B, 27), message (B, 256), of any dtype, as (B, joint).

    Args:
        size: one of `SIZES`.
    """

    def __init__(self, size: str) -> None:
        super().__init__()
        self.size = of = SIZES[size]
        self.glyphs = nn.Embedding(GLYPHS, of.embedding)
        self.first = nn.Conv2d(of.embedding, of.channels, 3, padding=1)
        self.second = nn.Conv2d(of.channels, of.channels, 3, padding=1)
        self.crop = nn.Linear(81 * of.channels, of.crop)
        self.status = nn.Linear(27, of.side)
        self.message = nn.Linear(256, of.side)
        self.joint = nn.Linear(of.crop + 2 * of.side, of.joint)

    def forward(self, crop: Tensor | Repeated, status: Tensor, message: Tensor) -> Tensor:
        on_map = self.read_crop
        features = crop.through(on_map) if isinstance(crop, Repeated) else on_map(crop)
        status = status.float()
        parts = [
            features,
            torch.relu(self.status(status.sign() * status.abs().log1p())),
            torch.relu(self.message(message.float() / 255)),
        ]
        return torch.relu(self.joint(torch.cat(parts, 1)))

    def read_crop(self, crop: Tensor) -> Tensor:
        """Returns features (B, crop) of glyphs (B, 9, 9)."""
        cells = torch.relu(self.second(self.embedded(crop)))
        return torch.relu(self.crop(cells.flatten(1)))

    def embedded(self, crop: Tensor) -> Tensor:
        """Returns (B, channels, 9, 9) of glyphs (B, 9, 9), by torch's own layers."""
        return torch.relu(self.first(self.glyphs(crop.long()).permute(0, 3, 1, 2)))


class LookUpNetwork(BenchNetwork):
    """The same network, whose first convolution looks its sums up, as our agents' does."""

    def embedded(self, crop: Tensor) -> Tensor:
        """Returns (B, channels, 9, 9) of glyphs (B, 9, 9), by looking them up."""
        return glyph_conv(crop, self.glyphs, self.first)


class BenchExtractor(BaseFeaturesExtractor):
    """The network as a features extractor of stable-baselines3.

    Args:
        observation_space: with the keys of `agents.bench.settings.KEYS`.
        size: one of `SIZES`.
        ours: whether the first convolution is looked up.
    """

    reads_native = True
    repeats: ClassVar = {"glyphs_crop": 2}

    def __init__(self, observation_space: spaces.Dict, size: str, ours: bool = False) -> None:
        super().__init__(observation_space, SIZES[size].joint)
        self.network = LookUpNetwork(size) if ours else BenchNetwork(size)

    def forward(self, observations: Mapping[str, Tensor | Repeated]) -> Tensor:
        features: Tensor = self.network(*(observations[key] for key in KEYS))
        return features
