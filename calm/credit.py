"""Credit: what judged subgoals pay, for a batch of environments.

    r = r_env + weight * credit

Three modes. With g_t(i) = 1 if subgoal i was judged achieved at step t, else 0, and n_i how often
it is to be done (`Subgoal.times`: once, if nothing says more):

`every`      credit = sum_i g_t(i) / n_i: each achievement pays, as in the paper (arXiv 2409.12798).
             Can be farmed: pick up, drop, pick up again.
`once`       as `every`, but each subgoal pays for its first n_i achievements in an episode, so that
             it pays 1 at most. Still moves the optimum (a detour is worth taking once), but cannot
             be farmed.
`potential`  credit = gamma * Phi(s') - Phi(s), Phi = mean share of the subgoals that is done, Phi =
             0 after termination and kept at truncation. The optimal policy stays what it was
             (Ng, Harada and Russell 1999), because the discounted sum over an episode telescopes
             to gamma^T Phi(s_T) - Phi(s_0), whatever the agent did in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown

CreditMode = Literal["every", "once", "potential"]
CREDIT_MODES: tuple[CreditMode, ...] = get_args(CreditMode)


class Credit:
    """Turns judged subgoals into credit and keeps what each episode has achieved so far.

    Args:
        n_envs: environments in the batch, B.
        n_subgoals: subgoals, G >= 1.
        mode: `every`, `once` (default) or `potential`.
        gamma: the agent's own discount, in [0, 1]; only `potential` uses it.
        times: (G,) how often each subgoal is to be done, `Subgoal.times`; by default once.
    """

    def __init__(
        self,
        n_envs: int,
        n_subgoals: int,
        mode: CreditMode = "once",
        gamma: float = 0.99,
        times: Sequence[int] | None = None,
    ) -> None:
        if mode not in CREDIT_MODES:
            raise unknown("credit mode", mode, CREDIT_MODES)
        if n_envs < 1 or n_subgoals < 1:
            raise UsageError(
                f"credit needs at least one environment and one subgoal, got {n_envs}, {n_subgoals}"
            )
        if not 0.0 <= gamma <= 1.0:
            raise UsageError(f"gamma must lie in [0, 1], got {gamma}")
        self.mode = mode
        self.gamma = gamma
        self.times = times_array(times, n_subgoals)
        """(G,) float32, how often each subgoal is to be done."""
        self.progress: npt.NDArray[np.float32] = np.zeros((n_envs, n_subgoals), np.float32)
        """(B, G) the share of each subgoal that this episode has done, in [0, 1]; rows are cleared
        when it ends."""
        self.final_progress = self.progress
        """(B, G) the same after the last step, before an end cleared it."""
        self.unreadable = 0
        """Steps so far of which an answer could not be read. It pays nothing and is not a "no"."""
        self.pending = 0
        """Steps so far of which an answer had not come yet. It pays nothing either."""

    def step(
        self,
        achieved: npt.NDArray[np.int8],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float32]:
        """Returns the credit of one step, (B,) float32, before any weight.

        Args:
            achieved: (B, G) int8; 1 yes, 0 no, -1 unreadable, -2 not answered yet.
            terminated: (B,) the episode ended by itself with this step.
            truncated: (B,) the episode was cut with this step.
        """
        if achieved.shape != self.progress.shape:
            raise ValueError(f"achieved must be {self.progress.shape}, got {achieved.shape}")
        if np.count_nonzero(achieved < 0):
            self.unreadable += int((achieved == -1).any(axis=1).sum())
            self.pending += int((achieved == -2).any(axis=1).sum())
        yes = achieved == 1
        before = self.progress
        done = np.rint(before * self.times) + yes  # exact: no sum of shares
        after: npt.NDArray[np.float32] = np.minimum(done / self.times, np.float32(1))
        if self.mode == "every":
            credit = (yes / self.times).sum(axis=1, dtype=np.float32)
        elif self.mode == "once":
            credit = ((yes & (before < 1)) / self.times).sum(axis=1, dtype=np.float32)
        else:
            share = after.mean(axis=1, dtype=np.float32) * ~terminated
            credit = np.float32(self.gamma) * share - before.mean(axis=1, dtype=np.float32)
        self.final_progress = after
        self.progress = after * ~(terminated | truncated)[:, None]
        return np.asarray(credit, dtype=np.float32)

    def reset(self) -> None:
        """Forgets the progress of all environments."""
        self.progress = np.zeros_like(self.progress)


def times_array(times: Sequence[int] | None, n_subgoals: int) -> npt.NDArray[np.float32]:
    """Returns how often each of G subgoals is to be done, (G,) float32; once where `times` is None.

    Raises:
        UsageError: not one number for each, or one below 1.
    """
    array = np.ones(n_subgoals, np.float32) if times is None else np.array(times, np.float32)
    if array.shape != (n_subgoals,) or (array < 1).any():
        raise UsageError(
            f"times must be {n_subgoals} numbers of at least 1, one for each subgoal, got {times}"
        )
    return array
