"""The protocol of a bonus, a third number beside the reward and the credit of a step.

r = r_env + weight * credit + bonus_weight * bonus
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from envs.observer import Actions, Bools
from envs.stepping.batch import Batch, Rewards

if TYPE_CHECKING:
    from envs.credit.shaping import BatchCredit


class Bonus(Protocol):
    """Pays for the steps of one batch, whatever a judge makes of them."""

    def reset(self) -> None:
        """Takes in that all environments begin an episode, whose first observation they hold."""

    def step(self, actions: Actions, ended: Bools) -> Rewards:
        """Returns the bonus of the batch's last step, (B,) float32, before its weight.

        Args:
            actions: (B,) of that step.
            ended: (B,) where the step ended an episode, and the batch's arrays are the next one's.
        """

    def state(self) -> dict[str, Any]:
        """Returns what outlives an episode, as tensors and plain values; empty if nothing does."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` has returned."""


class MakeBonus(Protocol):
    """Builds a bonus for a batch that has not been reset yet."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Observation keys that the bonus reads."""

    def __call__(self, batch: Batch, credit: BatchCredit | None) -> Bonus:
        """Returns the bonus of `batch`, whose credit, if any is paid, is `credit`."""
