"""Lists the names that settings may use for the policy's network, without loading torch."""

from __future__ import annotations

from typing import Literal

from agents.encoders import MECHANISMS

ENCODERS = ("cnn", *MECHANISMS, "semantics")
"""What mixes the cells of a map: nothing, one of the mechanisms, or gates over time."""
MAPS = ("glyphs", "glyphs_crop")
"""Observation keys that hold a map of glyphs."""
JOIN = ("message", "inv_glyphs", "blstats")
"""Keys that become a token each among the cells of a map, where the mechanism lets them join."""
READS = (*MAPS, *JOIN, "progress")
"""Every key that the features extractor reads by itself."""
GATES = ("all", "judged", "words", "seen", "none")
"""What the gates of `semantics` may be learned from, see `agents.network.history.WindowEncoder`."""
Precision = Literal["float32", "bfloat16"]
"""Of the large products, on a CPU, see `agents.network.kernels.bfloat16`."""
