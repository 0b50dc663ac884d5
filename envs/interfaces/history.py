"""Adds the last steps of each episode to the observation, for encoders that look back.

    window_crop   (B, T, h, w) int16    the crops, oldest first, the present one last
    semantics     (B, C, T) float32     of each step: the judge's answer about each subgoal (1 yes,
                                        0 no, -1 unreadable; 0 at an episode's first observation),
                                        then what is in sight: log(1 + cells) of the crop, by group
                                        of glyphs
    window_valid  (B, T) float32        1 for steps of this episode; all else is 0 before it began

An observation holds the whole window, so that a rollout buffer keeps it with the step and nothing
is computed again in an update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from calm.errors import UsageError
from envs.game.engine import Array
from envs.game.glyphs import GROUPS, NO_GLYPH, group_of
from envs.observer import Bools, Rows
from envs.stepping.batch import Batch

if TYPE_CHECKING:
    from envs.credit.shaping import BatchCredit

CROP = "glyphs_crop"


class Window:
    """Keeps windows of the last T steps of a batch's episodes.

    Args:
        batch: whose keys hold `glyphs_crop`.
        length: T >= 1.
        shaping: whose judgements are part of the semantics; None leaves sight alone.
    """

    def __init__(self, batch: Batch, length: int, shaping: BatchCredit | None = None) -> None:
        if length < 1:
            raise UsageError(f"a window holds at least one step, got {length}")
        if CROP not in batch.keys:
            raise UsageError(f"a window is made of {CROP}; add it to the keys")
        self.batch, self.shaping = batch, shaping
        self.subgoals = len(shaping.subgoals) if shaping is not None else 0
        n, crop = batch.n_envs, batch.arrays[CROP]
        self.arrays: dict[str, Array] = {
            "window_crop": np.zeros((n, length, *crop.shape[1:]), crop.dtype),
            "semantics": np.zeros((n, self.subgoals + len(GROUPS), length), np.float32),
            "window_valid": np.zeros((n, length), np.float32),
        }
        self.final = {key: array.copy() for key, array in self.arrays.items()}
        """By key, (B, ...): the last windows of the episodes that the last step ended."""

    def reset(self) -> None:
        """Clears the windows: all episodes begin."""
        self._begin(np.arange(self.batch.n_envs))

    def step(self, ended: Bools) -> None:
        """Takes in the batch's last step, which ended episodes where `ended` (B,) says so."""
        rows = np.flatnonzero(ended)
        self._append(self.batch.reached(CROP))
        if rows.size:
            for key, array in self.arrays.items():
                self.final[key][rows] = array[rows]
            self._begin(rows)

    def spaces(self) -> dict[str, spaces.Box]:
        """Returns by key the space of one environment's entry."""
        shapes = {key: array.shape[1:] for key, array in self.arrays.items()}
        most = np.log1p(np.prod(shapes["window_crop"][1:]))
        return {
            "window_crop": spaces.Box(0, NO_GLYPH, shapes["window_crop"], np.int16),
            "semantics": spaces.Box(-1.0, float(most), shapes["semantics"], np.float32),
            "window_valid": spaces.Box(0.0, 1.0, shapes["window_valid"], np.float32),
        }

    def _begin(self, rows: Rows) -> None:
        """Begins the windows of some rows with the present observation."""
        for array in self.arrays.values():
            array[rows] = 0
        crops = self.batch.arrays[CROP][rows]
        self.arrays["window_crop"][rows, -1] = crops
        self.arrays["semantics"][rows, self.subgoals :, -1] = in_sight(crops)
        self.arrays["window_valid"][rows, -1] = 1

    def _append(self, crops: Array) -> None:
        """Adds the crops (B, h, w) that the last step led to, with what is known of the step."""
        crop_window, semantics, valid = self.arrays.values()
        crop_window[:, :-1] = crop_window[:, 1:]
        crop_window[:, -1] = crops
        semantics[:, :, :-1] = semantics[:, :, 1:]
        if self.shaping is not None:
            # Not answered yet is as unknown as unreadable.
            semantics[:, : self.subgoals, -1] = np.maximum(self.shaping.source.achieved, -1)
        semantics[:, self.subgoals :, -1] = in_sight(crops)
        valid[:, :-1] = valid[:, 1:]
        valid[:, -1] = 1


def in_sight(crops: Array) -> npt.NDArray[np.float32]:
    """Returns log(1 + cells) of each group of `envs.game.glyphs.GROUPS`, (B, groups) float32.

    Args:
        crops: glyphs (B, h, w).
    """
    size = len(GROUPS) + 1
    groups = group_of(crops.reshape(len(crops), -1)) + size * np.arange(len(crops))[:, None]
    counts = np.bincount(groups.ravel(), minlength=size * len(crops)).reshape(-1, size)
    return np.log1p(counts[:, :-1]).astype(np.float32)
