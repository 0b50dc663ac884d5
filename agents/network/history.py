"""Encodes the last steps, gated by the judge's answers about them and by what was in sight.

The crops of the window are each encoded as the CNN encodes one; class-semantics attention
(`agents.encoders.semantics`) then weighs their features over channels and over time, with gates
learned from the semantics alone. The output is the features of the last step and the window's mean.

Everything is part of the observation (`envs.interfaces.history`), so PPO's update sees what the
rollout saw.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.encoders.semantics import ClassSemanticsAttention
from agents.network.glyph_map import MapEncoder, Unchanged

WINDOW_KEYS = ("window_crop", "semantics", "window_valid")
"""Observation keys that `WindowEncoder` takes, in its order."""


class WindowEncoder(nn.Module):
    """Encodes crops (B, T, h, w), semantics (B, C, T), validity (B, T) as (B, 2 * width) features.

    Args:
        embedding: of glyphs.
        shape: (T, h, w).
        classes: C.
        width: features of each step.
    """

    def __init__(
        self, embedding: nn.Embedding, shape: Sequence[int], classes: int, width: int
    ) -> None:
        super().__init__()
        window, height, columns = shape
        self.crops = MapEncoder(embedding, (height, columns), width)
        self.attention = Unchanged(ClassSemanticsAttention(classes, width, window))
        self.scale = nn.Parameter(torch.full((width, 1), 0.1))  # near the identity at first
        self.out = 2 * width

    def forward(self, crops: Tensor, semantics: Tensor, valid: Tensor) -> Tensor:
        """Returns features (B, 2 * width); no gradient flows back into the semantics."""
        real = valid > 0
        steps = self.crops(crops.flatten(0, 1)).unflatten(0, crops.shape[:2])
        features = (steps * real.unsqueeze(-1)).transpose(1, 2)
        features = features + self.scale * self.attention.module(semantics.detach(), features, real)
        mean = features.sum(2) / real.sum(1, keepdim=True).clamp_min(1)
        return torch.cat([features[:, :, -1], mean], dim=1)

    def gates(self, semantics: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the gates of channels (B, width) and of steps (B, T), each in (0, 1)."""
        attention = self.attention.module
        assert isinstance(attention, ClassSemanticsAttention)
        return attention.gates(semantics, valid > 0)


class PastEncoder(nn.Module):
    """Encodes the crops of the steps before the present one, each by a CNN, side by side.

    Args:
        embedding: of glyphs.
        shape: (T, h, w), T >= 2.
        width: features of each step.
    """

    def __init__(self, embedding: nn.Embedding, shape: Sequence[int], width: int) -> None:
        super().__init__()
        window, height, columns = shape
        self.crops = MapEncoder(embedding, (height, columns), width)
        self.out = (window - 1) * width

    def forward(self, crops: Tensor, valid: Tensor) -> Tensor:
        """Returns features (B, (T - 1) * width) of crops (B, T, h, w); 0 before an episode's start.

        Args:
            crops: the present one last.
            valid: (B, T), above 0 for steps of this episode.
        """
        past = crops[:, :-1]
        steps: Tensor = self.crops(past.flatten(0, 1)).unflatten(0, past.shape[:2])
        of_this_episode: Tensor = steps * (valid[:, :-1] > 0).unsqueeze(-1)
        return of_this_episode.flatten(1)
