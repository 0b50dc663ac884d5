"""Tells how important cells and kinds of cell are, from 0 to 1 within each observation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agents.inspection.saliency.by_subgoal import Values
from envs.game.glyphs import GROUPS, STONE, group_of

Importance = npt.NDArray[np.float64]
"""Of the cells of B observations, (B, h, w), 0 to 1."""
KINDS = (("walls", 1), ("doors", 12), ("bars and trees", 17), ("floor", 19), ("stairs", 23))
"""Dungeon features, by the first of nle's map symbols of that kind (`defsym.h`)."""
OTHER = ("other features", 27)
"""All dungeon features from this map symbol on."""


def stretched(weights: Tensor, known: Tensor) -> Importance:
    """Returns weights (B, h, w) stretched to [0, 1] over each map's known cells, 0 elsewhere."""
    low = weights.masked_fill(~known, torch.inf).amin((1, 2), keepdim=True)
    high = weights.masked_fill(~known, -torch.inf).amax((1, 2), keepdim=True)
    whole = (weights - low) / (high - low).clamp_min(1e-12)
    importance: Importance = torch.where(known, whole, 0.0).double().cpu().numpy()
    return importance


class Kinds(NamedTuple):
    """What kind of thing each cell of B observations shows."""

    cells: npt.NDArray[np.int64]
    """Number of the kind, (B, h, w)."""
    names: dict[int, str]
    """By number."""


def kinds_of(glyphs: Tensor, hero: npt.NDArray[np.int64] | None) -> Kinds:
    """Returns the kind of each cell: nle's groups of glyphs, dungeon features told apart, the hero.

    Args:
        glyphs: of the game, (B, h, w).
        hero: his row and column, (B, 2); None counts him among the monsters, as the game draws him.
    """
    ids = glyphs.long().cpu().numpy()
    kinds = group_of(ids)
    names = [name for name, _ in GROUPS]
    ground = names.index("dungeon features")
    starts = [first for _, first in (*KINDS, OTHER)]
    finer = np.searchsorted(starts, ids - STONE, "right") - 1
    kinds = np.where(kinds == ground, len(names) + 1 + finer, kinds)
    if hero is not None:
        kinds[np.arange(len(kinds)), hero[:, 0], hero[:, 1]] = -1
    names += ["", *(name for name, _ in (*KINDS, OTHER))]
    return Kinds(kinds, {-1: "hero"} | {i: name for i, name in enumerate(names) if name})


def means_by_kind(importance: Importance, kinds: Kinds) -> dict[str, Values]:
    """Returns the mean importance (B,) of an observation's cells of each kind, NaN where none is.

    Args:
        importance: of the cells, (B, h, w).
        kinds: of the same.
    """
    means = {}
    for i, name in kinds.names.items():
        cells = kinds.cells == i
        if cells.any():
            counts = cells.sum((1, 2))
            sums = np.where(cells, importance, 0).sum((1, 2))
            means[name] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def by_kind(importance: Importance, kinds: Kinds) -> dict[str, float]:
    """Returns the mean importance of the cells of each kind that was in sight, largest first."""
    importances = {
        name: float(importance[kinds.cells == i].mean())
        for i, name in kinds.names.items()
        if (kinds.cells == i).any()
    }
    return dict(sorted(importances.items(), key=lambda item: -item[1]))
