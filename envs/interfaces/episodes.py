"""Adds credit and bonus to a batch's rewards, and sums up episodes, for all interfaces alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from nle.env.base import NLE_SPACE_ITEMS

from calm.errors import UsageError
from envs.game.engine import ENGINE_KEYS, Array
from envs.game.goal import WON
from envs.interfaces.history import Window
from envs.observer import Bools
from envs.stepping.batch import Batch, Rewards

if TYPE_CHECKING:
    from envs.bonus.protocol import Bonus
    from envs.credit.shaping import BatchCredit

PROGRESS = "progress"
"""Observation key (B, G) float32: which subgoals the running episode has achieved."""


class Episodes:
    """Steps a batch, adds what credit and bonus pay, and sums up what each episode earned.

    r = r_env + weight * credit + bonus_weight * bonus, of which all three are kept apart.

    Args:
        batch: not yet reset.
        shaping: credit on top of the reward, if any.
        progress: offer the key "progress", if there is shaping.
        copy: hand out observations that stay as they are; False hands out the arrays themselves,
            which the next step overwrites.
        window: offer the last so many steps too, see `envs.interfaces.history`; 0 for none.
        bonus: what pays beside reward and credit, if anything does.
        bonus_weight: of the bonus in the reward, a finite number.
        stall: an episode is cut with the step so many after the last that paid credit or a bonus,
            or after its beginning; 0 for no such end, and none where nothing could pay.
    """

    def __init__(
        self,
        batch: Batch,
        shaping: BatchCredit | None = None,
        progress: bool = True,
        copy: bool = True,
        window: int = 0,
        bonus: Bonus | None = None,
        bonus_weight: float = 0.0,
        stall: int = 0,
    ) -> None:
        if not math.isfinite(bonus_weight):
            raise UsageError(
                f"bonus_weight must be a finite number, such as 0.1, got {bonus_weight}"
            )
        if stall < 0:
            raise UsageError(f"stall counts steps, 0 for no end by it, got {stall}")
        self.batch = batch
        self.shaping = shaping
        self.bonus_source, self.bonus_weight = bonus, bonus_weight
        self.copy = copy
        self.progress = progress and shaping is not None
        n = batch.n_envs
        self.r_env: Rewards = np.zeros(n, np.float32)
        """(B,) reward of the last step."""
        self.credit: Rewards = np.zeros(n, np.float32)
        """(B,) credit of the last step, before its weight."""
        self.bonus: Rewards = np.zeros(n, np.float32)
        """(B,) bonus of the last step, before its weight."""
        self.sums: npt.NDArray[np.float64] = np.zeros((4, n))
        """(4, B) sums over the running episode: shaped reward, reward, credit, bonus."""
        self.final_sums = self.sums.copy()
        """(4, B) the same for the episode that the last step ended, where it ended one."""
        self.space = _space(batch, len(shaping.subgoals) if shaping and self.progress else 0)
        self.window = Window(batch, window, shaping) if window else None
        if self.window is not None:
            self.space = spaces.Dict({**self.space.spaces, **self.window.spaces()})
        self.stall = stall if shaping is not None or bonus is not None else 0
        self._unpaid = np.zeros(n, np.int64)
        """(B,) steps since credit or a bonus was paid last in the running episode."""
        self.action_space = spaces.Discrete(batch.n_actions)

    def reset(self, seeds: Sequence[int] | None = None) -> None:
        """Starts new episodes in all rows; `seeds` are B level seeds, by default the streams'."""
        self.batch.reset(seeds)
        if self.shaping is not None:
            self.shaping.reset()
        if self.bonus_source is not None:
            self.bonus_source.reset()
        if self.window is not None:
            self.window.reset()
        self._unpaid[:] = 0
        self.sums[:] = 0

    def step(self, actions: npt.ArrayLike) -> tuple[Rewards, Bools, Bools]:
        """Steps once; returns (B,) shaped rewards float32, terminated and truncated bool."""
        self.r_env, terminated, truncated = self.batch.step(actions)
        rewards = self.r_env
        if self.shaping is not None:
            self.credit = self.shaping.step(terminated, truncated)
            if np.count_nonzero(self.credit):  # most steps pay none
                rewards = rewards + np.float32(self.shaping.weight) * self.credit
                self.sums[2] += self.credit
        if self.bonus_source is not None:
            self.bonus = self.bonus_source.step(np.asarray(actions), terminated | truncated)
            rewards = rewards + np.float32(self.bonus_weight) * self.bonus
            self.sums[3] += self.bonus
        if rewards is self.r_env and self.shaping is not None:
            rewards = rewards.copy()
        self.sums[0] += rewards
        self.sums[1] += self.r_env
        if self.window is not None:
            self.window.step(terminated | truncated)
        if self.batch.any_ended:
            ended = terminated | truncated
            self.final_sums[:, ended] = self.sums[:, ended]
            self.sums[:, ended] = 0
        if self.stall:
            self._unpaid += 1
            self._unpaid[(self.credit > 0) | (self.bonus > 0) | terminated | truncated] = 0
            # One step less, for what is cut ends with its next step.
            if np.any(stalled := self._unpaid >= self.stall - 1):
                self.batch.cut(stalled)
        return rewards, terminated, truncated

    def parts(self) -> dict[str, Rewards]:
        """Returns by name the parts of the last reward, (B,), where more than `r_env` pays.

        The credit and the bonus are before their weights, and not to be written to.
        """
        if self.shaping is None and self.bonus_source is None:
            return {}
        parts = {"r_env": self.r_env}
        if self.shaping is not None:
            parts["credit"] = self.credit
        if self.bonus_source is not None:
            parts["bonus"] = self.bonus
        return parts

    def observation(self) -> dict[str, Array]:
        """Returns the present observation of every environment by key, (B, ...)."""
        arrays = {key: self.batch.arrays[key] for key in self.batch.keys}
        if self.shaping is not None and self.progress:
            arrays[PROGRESS] = self.shaping.progress
        if self.window is not None:
            arrays |= self.window.arrays
        return {key: array.copy() for key, array in arrays.items()} if self.copy else arrays

    def final(self, i: int) -> dict[str, Array]:
        """Returns by key the last observation of the episode that the last step ended in row i."""
        arrays = {key: self.batch.final[key][i].copy() for key in self.batch.keys}
        if self.shaping is not None and self.progress:
            arrays[PROGRESS] = self.shaping.final_progress[i].copy()
        if self.window is not None:
            arrays |= {key: array[i].copy() for key, array in self.window.final.items()}
        return arrays

    def summary(self, i: int) -> dict[str, float | int | bool]:
        """Returns the figures of the episode that the last step ended in row i.

        r: the return that the agent is trained on; r_env, credit and bonus: its parts, the last two
        before their weights; l: length in steps; success: the task's goal was reached, whatever was
        paid; level_seed: of its level.
        """
        shaped, env, credit, bonus = self.final_sums[:, i].tolist()
        return {
            "r": shaped,
            "l": int(self.batch.final_steps[i]),
            "r_env": env,
            "credit": credit,
            "bonus": bonus,
            "success": bool(self.batch.status[i] == WON),
            "level_seed": int(self.batch.final_level_seeds[i]),
        }


def _space(batch: Batch, n_subgoals: int) -> spaces.Dict:
    """Returns the space of one environment's observation, with nle's own bounds."""
    bounds = dict(NLE_SPACE_ITEMS)
    boxes: dict[str, spaces.Space[Array]] = {}
    for key in batch.keys:
        box = bounds.get(base := key.removesuffix("_crop"))
        if box is None:
            raise UsageError(f"{key} is no observation")
        shape, dtype = batch.arrays[key].shape[1:], ENGINE_KEYS[base][1]
        boxes[key] = spaces.Box(int(box.low.min()), int(box.high.max()), shape, dtype)
    if n_subgoals:
        boxes[PROGRESS] = spaces.Box(0.0, 1.0, (n_subgoals,), np.float32)
    return spaces.Dict(boxes)
