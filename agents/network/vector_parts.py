"""Encodes the parts of a NetHack observation that are not a map: message, inventory, status.

Each takes float32, as stable-baselines3 passes observations, or the integers themselves, and
returns (B, out) float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NO_GLYPH = 5976
"""nle's MAX_GLYPH: an empty inventory slot, or a crop's cell outside the map."""
GLYPHS = NO_GLYPH + 1
STONE = 2359
"""The glyph of a cell that nothing is known of."""


class MessageEncoder(nn.Module):
    """Encodes characters of the message (B, 256): embedded, convolved, max-pooled over the text."""

    def __init__(self, out: int = 32, width: int = 16, length: int = 96) -> None:
        super().__init__()
        self.length = length  # messages of these tasks end before; the rest is padding
        self.embedding = nn.Embedding(256, 8, padding_idx=0)
        self.conv = nn.Conv1d(8, width, kernel_size=5, stride=2)
        self.linear = nn.Linear(width, out)

    def forward(self, message: Tensor) -> Tensor:
        characters = self.embedding(message[:, : self.length].long())
        pooled = torch.relu(self.conv(characters.transpose(1, 2))).amax(dim=2)
        return torch.relu(self.linear(pooled))


class InventoryEncoder(nn.Module):
    """Encodes glyphs of what is carried (B, 55): embedded and summed; empty slots count nothing."""

    def __init__(self, embedding: nn.Embedding, out: int = 32) -> None:
        super().__init__()
        self.embedding = embedding
        self.linear = nn.Linear(embedding.embedding_dim, out)

    def forward(self, glyphs: Tensor) -> Tensor:
        glyphs = glyphs.long()
        carried = self.embedding(glyphs) * (glyphs != NO_GLYPH).unsqueeze(-1)
        return torch.relu(self.linear(carried.sum(dim=1)))


class StatusEncoder(nn.Module):
    """Encodes numbers of the status line (B, K): sign(x) log(1 + |x|), then one layer."""

    def __init__(self, size: int, out: int = 32) -> None:
        super().__init__()
        self.linear = nn.Linear(size, out)

    def forward(self, status: Tensor) -> Tensor:
        status = status if status.is_floating_point() else status.float()
        squeezed = status.sign() * status.abs().log1p()
        return torch.relu(self.linear(squeezed))
