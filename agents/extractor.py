"""One features extractor for any NetHack observation, for use with stable-baselines3.

    PPO("MultiInputPolicy", env, policy_kwargs=dict(
        features_extractor_class=NetHackExtractor,
        features_extractor_kwargs=dict(encoder="cnn")))

Reads whichever of these keys the observation space has: `glyphs` (21, 79) the whole map,
`glyphs_crop` (h, w) centred on the hero, `message` (256,), `inv_glyphs` (55,), `blstats` (27,),
`progress` (G,) which subgoals this episode has achieved.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.encoders import MECHANISMS, make_mechanism
from agents.parts import GLYPHS, NO_GLYPH, STONE, InventoryEncoder, MessageEncoder, StatusEncoder
from calm.errors import UsageError, unknown

MAPS = ("glyphs", "glyphs_crop")
ENCODERS = ("cnn", *MECHANISMS)
READS = (*MAPS, "message", "inv_glyphs", "blstats", "progress")


class MapEncoder(nn.Module):
    """A map of glyphs (B, h, w) as (B, out) features.

    Glyphs are embedded, a 3x3 convolution makes `dim` channels (of every second cell, if the map is
    large), the mechanism mixes the cells, and a strided convolution reads all of them out, so that
    where a thing stands relative to the hero is kept. Unknown cells count as zeros and are masked
    from the mechanism. `cnn` has no mechanism between its convolutions.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        shape: tuple[int, int],
        out: int,
        encoder: str = "cnn",
        dim: int | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        dim = dim or (16 if encoder == "cnn" else 32)
        self.embedding = embedding
        self.stride = 2 if shape[0] * shape[1] > 400 else 1
        self.stem = nn.Conv2d(embedding.embedding_dim, dim, 3, stride=self.stride, padding=1)
        height, width = (-(-n // self.stride) for n in shape)
        self.mix: nn.Module | None = None
        if encoder != "cnn":
            self.mix = make_mechanism(encoder, dim, height, width, **(options or {}))
            self.place = nn.Parameter(torch.empty(height * width, dim).normal_(std=0.02))
            self.norm = nn.LayerNorm(dim)
        self.down = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1)
        self.read = nn.Linear(2 * dim * -(-height // 2) * -(-width // 2), out)

    def forward(self, glyphs: Tensor) -> Tensor:
        glyphs = glyphs.long()
        known = (glyphs != STONE) & (glyphs != NO_GLYPH)
        cells = (self.embedding(glyphs) * known.unsqueeze(-1)).permute(0, 3, 1, 2)
        cells = torch.relu(self.stem(cells))
        if self.mix is not None:
            tokens = cells.flatten(2).transpose(1, 2)
            mixed = self.mix(self.norm(tokens + self.place), self._mask(known))
            cells = (tokens + mixed).transpose(1, 2).unflatten(2, cells.shape[2:])
        cells = torch.relu(self.down(cells))
        return torch.relu(self.read(cells.flatten(1)))

    def _mask(self, known: Tensor) -> Tensor:
        """(B, tokens) True where the cell, or one that the strided stem folds into it, is known."""
        if self.stride > 1:
            known = nn.functional.max_pool2d(known.float(), 3, self.stride, padding=1) > 0
        return known.flatten(1)


class NetHackExtractor(BaseFeaturesExtractor):
    """Every part of the observation encoded apart, joined by one layer.

    Args:
        observation_space: a Dict with at least one of the keys above.
        features_dim: width of the joint features, for policy and value alike.
        encoder: what mixes the cells of the maps: `cnn`, or a mechanism of `agents.encoders`.
        glyph_dim: width of the glyph embedding, shared by maps and inventory.
        encoder_options: of the mechanism's class.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        features_dim: int = 128,
        encoder: str = "cnn",
        glyph_dim: int = 12,
        encoder_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(observation_space, features_dim)
        if encoder not in ENCODERS:
            raise unknown("encoder", encoder, ENCODERS)
        found = [key for key in READS if key in observation_space.spaces]
        if not found:
            raise UsageError(
                f"the observation has none of the keys the extractor reads ({', '.join(READS)});"
                f" it has {', '.join(observation_space.spaces)}"
            )
        self.glyphs = nn.Embedding(GLYPHS, glyph_dim)
        parts: dict[str, nn.Module] = {}
        widths = 0
        for key in found:
            shape = observation_space[key].shape
            assert shape is not None
            if key in MAPS:
                width = features_dim
                size = (shape[0], shape[1])
                parts[key] = MapEncoder(self.glyphs, size, width, encoder, options=encoder_options)
            elif key == "message":
                width = 32
                parts[key] = MessageEncoder(width)
            elif key == "inv_glyphs":
                width = 32
                parts[key] = InventoryEncoder(self.glyphs, width)
            elif key == "blstats":
                width = 32
                parts[key] = StatusEncoder(shape[0], width)
            else:
                width = shape[0]
                parts[key] = nn.Identity()
            widths += width
        self.parts = nn.ModuleDict(parts)
        self.joint = nn.Linear(widths, features_dim)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Observations by key, (B, ...) float32 as stable-baselines3 gives them -> (B, D)."""
        features = [part(observations[key]) for key, part in self.parts.items()]
        return torch.relu(self.joint(torch.cat(features, dim=1)))
