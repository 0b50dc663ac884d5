"""One features extractor for any NetHack observation, for use with stable-baselines3.

    PPO("MultiInputPolicy", env, policy_kwargs=dict(
        features_extractor_class=NetHackExtractor,
        features_extractor_kwargs=dict(encoder="cnn")))

Reads whichever of these keys the observation space has: `glyphs` (21, 79) the whole map,
`glyphs_crop` (h, w) centred on the hero, `message` (256,), `inv_glyphs` (55,), `blstats` (27,),
`progress` (G,) which subgoals this episode has achieved.
"""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.parts import GLYPHS, NO_GLYPH, STONE, InventoryEncoder, MessageEncoder, StatusEncoder
from calm.errors import UsageError, unknown

MAPS = ("glyphs", "glyphs_crop")
ENCODERS = ("cnn",)
READS = (*MAPS, "message", "inv_glyphs", "blstats", "progress")


class MapEncoder(nn.Module):
    """A map of glyphs (B, h, w) as (B, out) features.

    Glyphs are embedded and pass strided 3x3 convolutions; all cells are read out, so that where a
    thing stands relative to the hero is kept. Unknown cells count as zeros.
    """

    def __init__(
        self, embedding: nn.Embedding, shape: tuple[int, int], out: int, dim: int = 16
    ) -> None:
        super().__init__()
        self.embedding = embedding
        large = shape[0] * shape[1] > 400  # the whole map: look at every second cell only
        self.stem = nn.Conv2d(embedding.embedding_dim, dim, 3, stride=2 if large else 1, padding=1)
        self.down = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1)
        halvings = 2 if large else 1
        height, width = (-(-n // 2**halvings) for n in shape)
        self.read = nn.Linear(2 * dim * height * width, out)

    def forward(self, glyphs: Tensor) -> Tensor:
        glyphs = glyphs.long()
        known = (glyphs != STONE) & (glyphs != NO_GLYPH)
        cells = (self.embedding(glyphs) * known.unsqueeze(-1)).permute(0, 3, 1, 2)
        cells = torch.relu(self.down(torch.relu(self.stem(cells))))
        return torch.relu(self.read(cells.flatten(1)))


class NetHackExtractor(BaseFeaturesExtractor):
    """Every part of the observation encoded apart, joined by one layer.

    Args:
        observation_space: a Dict with at least one of the keys above.
        features_dim: width of the joint features, for policy and value alike.
        encoder: the mechanism that mixes the cells of the maps.
        glyph_dim: width of the glyph embedding, shared by maps and inventory.
    """

    def __init__(
        self,
        observation_space: spaces.Dict,
        features_dim: int = 128,
        encoder: str = "cnn",
        glyph_dim: int = 12,
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
                parts[key] = MapEncoder(self.glyphs, (shape[0], shape[1]), width)
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
