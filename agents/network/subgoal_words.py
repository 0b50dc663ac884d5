"""Turns the words of subgoals into vectors by hashing: no model, no download, the same everywhere.

Each word stands for a vector of `WORDS` signs, the first bits of its SHA-256, and a subgoal's name
for their sum, scaled to length 1. Vectors of different words are nearly at right angles, so
subgoals that share words have vectors that point the same way: "pick up the key" and "stand next to
the key".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import torch
from torch import Tensor

WORDS = 32
"""Numbers of a vector, at most 256."""


def hashed_words(names: Sequence[str]) -> Tensor:
    """Returns a vector for each subgoal's name, (G, WORDS) float32; 0 where a name has no word."""
    vectors = torch.zeros(len(names), WORDS)
    for vector, name in zip(vectors, names, strict=True):
        for word in re.findall(r"\w+", name.lower()):
            bits = int.from_bytes(hashlib.sha256(word.encode()).digest(), "big")
            vector += torch.tensor([1.0 if bits >> (255 - i) & 1 else -1.0 for i in range(WORDS)])
    return torch.nn.functional.normalize(vectors, dim=1)
