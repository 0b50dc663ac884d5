"""Judged credit around any Gymnasium environment: the one file here that needs gymnasium.

    env = JudgedCredit(gym.make("MyEnv-v0"), annotator, describe)

`describe` puts one transition into words; the judge reads nothing else. What changed, told in few
and always the same words, is asked about a few hundred times in a whole training; a whole screen
is asked about at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat, TypeVar

import gymnasium
import numpy as np

from calm.annotation.live import Annotator
from calm.credit import Credit, CreditMode

ObsType = TypeVar("ObsType")
ActType = TypeVar("ActType")

Describe = Callable[[Any, Any, Any, bool, bool, dict[str, Any]], str]
"""(observation before, action, observation after, terminated, truncated, info) -> one transition in
words. It names the action, and says if the episode ended."""


class JudgedCredit(
    gymnasium.Wrapper[ObsType, ActType, ObsType, ActType], gymnasium.utils.RecordConstructorArgs
):
    """Adds judged credit to an environment's reward: r = r_env + weight * credit.

    Each step's `info` holds the three apart, as `r_env`, `credit` and the sum's parts `weight`,
    with `achieved` ((G,) int8; 1 yes, 0 no, -1 unreadable, -2 not answered yet) and `progress`
    ((G,) float32, the share of each subgoal that this episode has done). Measure success on
    `r_env`.

    Args:
        annotator: whom to ask, about which subgoals.
        describe: see `Describe`. An observation that the environment changes in place must be
            copied by the environment; the one before is kept here.
        mode: `every`, `once` or `potential` (see `calm.credit`).
        gamma: the agent's own discount; only `potential` uses it.
        weight: of the credit.
    """

    def __init__(
        self,
        env: gymnasium.Env[ObsType, ActType],
        annotator: Annotator,
        describe: Describe,
        *,
        mode: CreditMode = "once",
        gamma: float = 0.99,
        weight: float = 1.0,
    ) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,  # of a judge there is one, with its connections and threads
            annotator=annotator,
            describe=describe,
            mode=mode,
            gamma=gamma,
            weight=weight,
        )
        gymnasium.Wrapper.__init__(self, env)
        self.annotator = annotator
        self.describe = describe
        self.weight = weight
        times = [s.times for s in annotator.subgoals]
        self.credit = Credit(1, len(times), mode, gamma, times)
        self._before: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        """Begins an episode, with nothing achieved."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.credit.reset()
        self._before = observation
        return observation, info | {"progress": self.credit.progress[0].copy()}

    def step(self, action: ActType) -> tuple[ObsType, SupportsFloat, bool, bool, dict[str, Any]]:
        """Takes one step, asks what it achieved, and adds what that pays to the reward."""
        observation, r_env, terminated, truncated, info = self.env.step(action)
        text = self.describe(self._before, action, observation, terminated, truncated, info)
        achieved = self.annotator.judge_texts([text])
        credit = float(self.credit.step(achieved, np.array([terminated]), np.array([truncated]))[0])
        self._before = observation
        info = info | {
            "r_env": float(r_env),
            "credit": credit,
            "weight": self.weight,
            "achieved": achieved[0],
            "progress": self.credit.final_progress[0],
        }
        return observation, float(r_env) + self.weight * credit, terminated, truncated, info
