"""A user's own environment with judged credit: three numbers apart, in all three modes."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from calm.annotation.live import Annotator
from calm.credit import CreditMode
from calm.gym import JudgedCredit
from calm.judges import make_judge
from calm.records import Subgoal, Task

TASK = Task(
    "Corridor-v0",
    "Reach the end.",
    (Subgoal("reach the middle", "It steps onto 2."), Subgoal("reach the end", "It steps onto 4.")),
)
RULES = {"reach the middle": (r"onto 2\b",), "reach the end": (r"onto 4\b",)}


class Corridor(gymnasium.Env[int, int]):
    """Five cells; right is 1, left is 0; reward 1 at the end."""

    observation_space = spaces.Discrete(5)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.at = max(0, self.at + (1 if action else -1))
        return self.at, float(self.at == 4), self.at == 4, False, {}


def describe(before: int, action: int, after: int, *ends: object) -> str:
    return f"Action: {'right' if action else 'left'}. It steps from {before} onto {after}."


def _env(mode: CreditMode, weight: float = 0.5) -> JudgedCredit[int, int]:
    annotator = Annotator(make_judge("rules", rules=RULES), TASK)
    return JudgedCredit(Corridor(), annotator, describe, mode=mode, gamma=0.9, weight=weight)


WALK = [1, 1, 0, 1, 1, 1]  # onto 1, 2, 1, 2, 3, 4


@pytest.mark.parametrize(
    ("mode", "credits"),
    [
        ("every", [0, 1, 0, 1, 0, 1]),
        ("once", [0, 1, 0, 0, 0, 1]),
        ("potential", [0, 0.45, -0.05, -0.05, -0.05, -0.5]),
    ],
)
def test_reward_credit_and_their_sum_are_told_apart(mode: CreditMode, credits: list[float]) -> None:
    env = _env(mode)
    env.reset()
    steps = [env.step(a) for a in WALK]
    assert [s[4]["credit"] for s in steps] == pytest.approx(credits)
    assert [s[4]["r_env"] for s in steps] == [0, 0, 0, 0, 0, 1]
    assert [float(s[1]) for s in steps] == pytest.approx(
        [e + 0.5 * c for e, c in zip([0, 0, 0, 0, 0, 1], credits, strict=True)]
    )
    assert [s[4]["progress"].tolist() for s in steps][1:] == [[True, False]] * 4 + [[True, True]]
    assert env.annotator.questions == 5  # from 1 onto 2 comes twice


def test_an_episode_begins_with_nothing_achieved() -> None:
    env = _env("once")
    for _ in range(2):
        _, info = env.reset(seed=1)
        assert not info["progress"].any()
        assert sum(env.step(a)[4]["credit"] for a in WALK) == 2


def test_it_is_a_gymnasium_wrapper() -> None:
    from gymnasium.utils.env_checker import check_env

    env = _env("once")
    assert isinstance(env, gymnasium.Wrapper)
    with pytest.warns(UserWarning, match="has a wrapper applied"):
        check_env(env, skip_render_check=True)
    assert isinstance(env.step(0)[4]["achieved"], np.ndarray)


def test_a_judge_with_connections_will_do() -> None:
    """Gymnasium copies what a wrapper was built with, unless told not to; this can't be copied."""
    judge = make_judge("openai:m", base_url="http://127.0.0.1:9/v1")
    env = JudgedCredit(Corridor(), Annotator(judge, TASK), describe)
    assert env.annotator.judge is judge
