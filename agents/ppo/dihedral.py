"""Shows each pass over a rollout turned or mirrored, so that more passes teach more.

PPO that passes often over one rollout learns it by heart. Of a crop with the hero in its middle
there are eight images, see `envs.game.symmetries`, and what he did in one holds in the others, so
that eight passes see eight different rollouts. (The eight turns and mirror images of a position are
how AlphaGo Zero made more of its games, Silver et al. 2017.)

An action's probability in the image is divided by that with which it was drawn, in the level as it
was played: actions are drawn from the old policy there, so the gradient of a mirrored transition is
what importance sampling makes it, and none where the ratio leaves PPO's clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from nle.nethack import NLE_BL_X, NLE_BL_Y
from torch import Tensor

from agents.ppo.rollout import Rollout
from envs.game.glyphs import COLUMNS, ROWS
from envs.game.symmetries import SYMMETRIES, Symmetry

CROPS = ("glyphs_crop", "window_crop")
"""Observation keys that turn; their last two axes are rows and columns."""


class Dihedral:
    """Makes the images of rollouts.

    Message, inventory and progress stay as they are, and so does where a level lies: the hero's
    column and row on it are mirrored, but not exchanged where the crop is transposed.

    Args:
        presses: key code of every action.

    Raises:
        ValueError: an action has no image among them, see `envs.game.symmetries`.
    """

    def __init__(self, presses: Sequence[int]) -> None:
        self._tables = {
            symmetry: (
                torch.from_numpy(symmetry.glyphs()),
                torch.from_numpy(symmetry.actions(presses)),
            )
            for symmetry in SYMMETRIES
        }

    def views(self, rollout: Rollout) -> Iterator[Rollout]:
        """Yields images of a rollout without end: all eight in a random order, then anew."""
        while True:
            for i in np.random.permutation(len(SYMMETRIES)):
                yield self.image(rollout, SYMMETRIES[i])

    def image(self, rollout: Rollout, symmetry: Symmetry) -> Rollout:
        """Returns a rollout as a symmetry shows it; values and probabilities are those played."""
        if symmetry == SYMMETRIES[0]:
            return rollout
        glyphs, actions = (table.to(rollout.actions.device) for table in self._tables[symmetry])
        stored = dict(rollout.stored)
        for key in CROPS:
            if key in stored:
                stored[key] = glyphs[_turned(stored[key], symmetry).long()]
        if "blstats" in stored:
            status = stored["blstats"].clone()
            if symmetry.flips_columns:
                status[:, NLE_BL_X] = COLUMNS - 1 - status[:, NLE_BL_X]
            if symmetry.flips_rows:
                status[:, NLE_BL_Y] = ROWS - 1 - status[:, NLE_BL_Y]
            stored["blstats"] = status
        return rollout.seen_as(stored, actions[rollout.actions])


def _turned(crops: Tensor, symmetry: Symmetry) -> Tensor:
    """Returns crops (..., h, w) with their cells where a symmetry brings them."""
    flips = [axis for axis, flipped in zip((-2, -1), symmetry[:2], strict=True) if flipped]
    turned = crops.flip(flips)
    return turned.transpose(-2, -1) if symmetry.transposes else turned
