"""Tells how important cells and kinds of cell are, from 0 to 1 within each observation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.inspection.by_subgoal import Values
from envs.game.glyphs import GROUPS, STONE, group_of

Importance = npt.NDArray[np.float64]
"""Of the cells of B observations, (B, h, w), 0 to 1."""
KINDS = (("walls", 1), ("doors", 12), ("bars and trees", 17), ("floor", 19), ("stairs", 23))
"""Dungeon features, by the first of nle's map symbols of that kind (`defsym.h`)."""
OTHER = ("other features", 27)
"""All dungeon features from this map symbol on."""


def stretched(weights: Tensor, known: Tensor) -> Importance:
    """Returns weights (B, h, w) stretched to [0, 1] over each crop's known cells, 0 elsewhere."""
    low = weights.masked_fill(~known, torch.inf).amin((1, 2), keepdim=True)
    high = weights.masked_fill(~known, -torch.inf).amax((1, 2), keepdim=True)
    whole = (weights - low) / (high - low).clamp_min(1e-12)
    importance: Importance = torch.where(known, whole, 0.0).double().cpu().numpy()
    return importance


def means_by_kind(importance: Importance, glyphs: Tensor) -> dict[str, Values]:
    """Returns the mean importance (B,) of an observation's cells of each kind, NaN where none is.

    Args:
        importance: of the cells, (B, h, w).
        glyphs: of the game, (B, h, w).
    """
    kinds, names = kinds_of(glyphs)
    means = {}
    for i, name in names.items():
        cells = kinds == i
        if cells.any():
            counts = cells.sum((1, 2))
            sums = np.where(cells, importance, 0).sum((1, 2))
            means[name] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def by_kind(importance: Importance, glyphs: Tensor) -> dict[str, float]:
    """Returns the mean importance of the cells of each kind that was in sight, largest first."""
    kinds, names = kinds_of(glyphs)
    importances = {
        name: float(importance[kinds == i].mean())
        for i, name in names.items()
        if (kinds == i).any()
    }
    return dict(sorted(importances.items(), key=lambda item: -item[1]))


def kinds_of(glyphs: Tensor) -> tuple[npt.NDArray[np.int64], dict[int, str]]:
    """Returns the kind of each cell (B, h, w), and the kinds' names.

    Kinds are nle's groups of glyphs, dungeon features told apart, and the hero, in the middle.
    """
    ids = glyphs.long().cpu().numpy()
    kinds = group_of(ids)
    names = [name for name, _ in GROUPS]
    ground = names.index("dungeon features")
    starts = [first for _, first in (*KINDS, OTHER)]
    finer = np.searchsorted(starts, ids - STONE, "right") - 1
    kinds = np.where(kinds == ground, len(names) + 1 + finer, kinds)
    kinds[:, ids.shape[1] // 2, ids.shape[2] // 2] = -1
    names += ["", *(name for name, _ in (*KINDS, OTHER))]
    return kinds, {-1: "hero"} | {i: name for i, name in enumerate(names) if name}
