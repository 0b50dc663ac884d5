"""Extracts features from any NetHack observation, for use with stable-baselines3.

    PPO("MultiInputPolicy", env, policy_kwargs=dict(
        features_extractor_class=NetHackExtractor,
        features_extractor_kwargs=dict(encoder="cnn")))

Reads whichever of these keys the observation space has: `glyphs` (21, 79) the whole map,
`glyphs_crop` (h, w) centred on the hero, `message` (256,), `inv_glyphs` (55,), `blstats` (27,),
`progress` (G,) the share of each subgoal that this episode has done. The encoder `semantics` also
reads what `envs.interfaces.history` adds: `semantics`, `window_crop`, `window_valid`.

With the keys of `agents.training.settings.config` every encoder has 0.58 to 0.68 million weights,
most of them in the layer that reads the cells out, where a weight costs one multiplication a
sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agents.encoders import MECHANISMS
from agents.network.glyph_map import LARGE, WIDE, MapEncoder, can_join
from agents.network.history import WINDOW_KEYS, PastEncoder, WindowEncoder
from agents.network.kernels.minibatch_chunks import Repeated
from agents.network.names import ENCODERS, JOIN, MAPS, READS
from agents.network.vector_parts import (
    GLYPHS,
    NO_GLYPH,
    InventoryEncoder,
    MessageEncoder,
    StatusEncoder,
)
from calm.errors import UsageError, unknown

PART = 32
"""Features of the message, of the inventory and of the status, each."""


ROW_AXES = {**dict.fromkeys((*MAPS, "window_crop"), 2), "message": 1, "inv_glyphs": 1}
"""Axes of one row, of the keys of which many rows are equal and each is encoded by itself."""


class NetHackExtractor(BaseFeaturesExtractor):
    """Encodes every part of the observation apart, and joins them by one layer.

    Message, inventory and status also join the cells of each map as one token each, where the
    mechanism lets them (agent, softmax); a token of an empty part is masked.

    Observations are float32, as stable-baselines3 passes them, or in their own dtypes.

    Args:
        observation_space: a Dict with at least one of the keys above.
        features_dim: width of the joint features, for policy and value alike.
        encoder: what mixes the cells of the maps: `cnn` for nothing, a mechanism of
            `agents.encoders`, or `semantics`, which needs the keys of `envs.interfaces.history`.
        glyph_dim: width of the glyph embedding, shared by maps and inventory.
        fine: mix every cell of a crop rather than every second one; None for the mechanism's
            default, see `agents.network.glyph_map.FINE`.
        encoder_options: of the mechanism, see `agents.network.glyph_map.Mix`; of `semantics` what
            its gates are learned from, such as {"gates": "judged"}, see
            `agents.network.history.WindowEncoder`.
        past: look at the earlier crops of `envs.interfaces.history` too.
        subgoal_names: in the order of `progress`, for the gates of `semantics` by words.

    Raises:
        UsageError: no such encoder, options that it does not take, or an observation without the
            keys that it reads.
    """

    reads_native = True
    """Integers need not be made float32 first."""

    def __init__(
        self,
        observation_space: spaces.Dict,
        features_dim: int = 256,
        encoder: str = "cnn",
        glyph_dim: int = 12,
        fine: bool | None = None,
        encoder_options: dict[str, Any] | None = None,
        past: bool = False,
        subgoal_names: Sequence[str] = (),
    ) -> None:
        super().__init__(observation_space, features_dim)
        options = _checked_options(encoder, encoder_options or {})
        sizes = {key: space.shape or () for key, space in observation_space.spaces.items()}
        keys = _checked_keys(encoder, sizes)
        self.encoder = encoder
        self.glyphs = nn.Embedding(GLYPHS, glyph_dim)
        self.joining = [key for key in keys if key in JOIN] if can_join(encoder, fine) else []
        self.tokens = nn.ModuleDict({key: nn.Linear(PART, WIDE) for key in self.joining})
        parts: dict[str, nn.Module] = {}
        widths: dict[str, int] = {}
        if encoder == "semantics":
            window = WindowEncoder(
                self.glyphs,
                sizes["window_crop"],
                sizes["semantics"][0],
                3 * features_dim // 4,
                sizes.get("progress", (0,))[0],
                **options,
                names=subgoal_names,
            )
            parts["window"], widths["window"] = window, window.out
            keys = [key for key in keys if key != "glyphs_crop"]  # the window ends with it
        if past:
            earlier = PastEncoder(self.glyphs, sizes["window_crop"], features_dim // 4)
            parts["past"], widths["past"] = earlier, earlier.out
        for key in keys:
            parts[key], widths[key] = self._part(key, sizes[key], fine, options)
        self.parts = nn.ModuleDict(parts)
        self.joint = nn.Linear(sum(widths[key] for key in parts), features_dim)
        readers = Counter("window_crop" if key in ("window", "past") else key for key in parts)
        self.repeats = {
            key: ROW_AXES[key] for key, n in readers.items() if key in ROW_AXES and n == 1
        }
        """Keys whose equal rows may come once, as
        `agents.network.kernels.minibatch_chunks.Repeated`, and how many axes a row has: those that
        one part reads, row by row."""

    def _part(
        self, key: str, size: tuple[int, ...], fine: bool | None, options: dict[str, Any]
    ) -> tuple[nn.Module, int]:
        """Returns what encodes the observations of a key, and how many features it has of each."""
        if key in MAPS:
            rows, columns = size
            # A level has many more cells to read: half the features make up for it.
            width = self.features_dim // (2 if rows * columns > LARGE else 1)
            kind = "cnn" if self.encoder == "semantics" else self.encoder
            taken = None if kind == "cnn" else options
            n_joining = len(self.joining)
            of_map = MapEncoder(self.glyphs, (rows, columns), width, kind, n_joining, fine, taken)
            return of_map, width
        if key == "message":
            return MessageEncoder(PART), PART
        if key == "inv_glyphs":
            return InventoryEncoder(self.glyphs, PART), PART
        if key == "blstats":
            return StatusEncoder(size[0], PART), PART
        return nn.Identity(), size[0]

    def forward(self, observations: Mapping[str, Tensor | Repeated]) -> Tensor:
        """Returns features (B, D) of observations by key, (B, ...)."""
        features, extra = self.beside_maps(observations)
        for key, part in self.parts.items():
            if isinstance(part, MapEncoder) and self.joining:
                features[key] = part.joined(through(part.marked_cells, observations[key]), *extra)
            elif key in MAPS:
                features[key] = through(part, observations[key])
        return torch.relu(self.joint(torch.cat([features[key] for key in self.parts], dim=1)))

    def beside_maps(
        self, observations: Mapping[str, Tensor | Repeated]
    ) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor] | tuple[()]]:
        """Encodes all but the maps.

        Args:
            observations: by key, (B, ...).

        Returns:
            Features by part, (B, ...); and what joins the maps' cells: tokens (B, n, WIDE), and
            which of them hold something, (B, n), or nothing at all.
        """
        features: dict[str, Tensor] = {}
        tokens, present = [], []
        for key, part in self.parts.items():
            if key == "window":
                features[key] = part(*(observations[name] for name in WINDOW_KEYS))
            elif key == "past":
                features[key] = part(observations["window_crop"], observations["window_valid"])
            elif key in self.joining:
                marked = through(partial(marked_features, key, part), observations[key])
                features[key] = marked[:, :-1]
                tokens.append(self.tokens[key](features[key]))
                present.append(marked[:, -1] > 0)
            elif key not in MAPS:
                features[key] = through(part, observations[key])
        return features, (torch.stack(tokens, 1), torch.stack(present, 1)) if tokens else ()


def _checked_options(encoder: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of the options of an encoder; raises a UsageError for those it can't have."""
    if encoder not in ENCODERS:
        raise unknown("encoder", encoder, ENCODERS)
    taken = {"gates"} if encoder == "semantics" else set()
    if encoder not in MECHANISMS and set(options) - taken:
        raise UsageError(
            f"the encoder {encoder} takes {'the option gates' if taken else 'no options'}, got"
            f" {dict(options)}"
        )
    return dict(options)


def _checked_keys(encoder: str, sizes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Returns the keys of an observation that are read; raises a UsageError where some lack.

    Args:
        encoder: that reads them.
        sizes: of every key of the observation.
    """
    keys = [key for key in READS if key in sizes]
    if not keys:
        raise UsageError(
            f"the observation has none of the keys the extractor reads ({', '.join(READS)});"
            f" it has {', '.join(sizes)}"
        )
    missing = [key for key in WINDOW_KEYS if key not in sizes]
    if encoder == "semantics" and missing:
        raise UsageError(
            f"the encoder semantics reads {', '.join(missing)}; make the environments with"
            " window=4, say"
        )
    return keys


def through(part: Callable[[Tensor], Tensor], observed: Tensor | Repeated) -> Tensor:
    """Returns features (B, ...) by a part of the network, of observations (B, ...) of one key."""
    return observed.through(part) if isinstance(observed, Repeated) else part(observed)


def marked_features(key: str, part: nn.Module, observed: Tensor) -> Tensor:
    """Returns features of an observation (B, ...) of a key, and after them whether it is there.

    (B, n + 1) float32; the last is 1 where the observation holds something, else 0.
    """
    there = present_in(key, observed).float().unsqueeze(1)
    return torch.cat([part(observed), there], 1)


def present_in(key: str, observed: Tensor) -> Tensor:
    """Returns whether an observation (B, ...) of a key holds something, (B,) bool.

    A blank message and an empty inventory do not; a status always does.
    """
    if key == "message":
        return (observed != 0).any(1)
    if key == "inv_glyphs":
        return (observed != NO_GLYPH).any(1)
    return torch.ones_like(observed[:, 0], dtype=torch.bool)
