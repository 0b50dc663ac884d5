"""What a run's own agent observed, every third step of its play."""

import numpy as np
import pytest
import torch
from gymnasium import Env, spaces
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.inspection.saliency.observed import Observed, play

CHARS = "chars_crop"


class Counted(Env[dict[str, np.ndarray], int]):
    """Shows how many steps were made, and ends each episode after five."""

    observation_space = spaces.Dict(
        {
            "step": spaces.Box(0, 1000, (1,), np.float32),
            CHARS: spaces.Box(0, 255, (2, 3), np.uint8),
        }
    )
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.steps = 0

    def _seen(self) -> dict[str, np.ndarray]:
        return {
            "step": np.array([self.steps], np.float32),
            CHARS: np.full((2, 3), self.steps, np.uint8),
        }

    def reset(self, **_: object) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        return self._seen(), {}

    def step(self, _: int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, object]]:
        self.steps += 1
        return self._seen(), 0.0, self.steps % 5 == 0, False, {}


@pytest.mark.parametrize("count", [5, 8])
def test_every_third_step_is_kept_with_its_characters_and_its_episode(count: int) -> None:
    env = DummyVecEnv([Counted, Counted])
    model = PPO("MultiInputPolicy", env, n_steps=8, batch_size=16)
    batch, chars, episodes = play(model, env, count, CHARS)
    steps = np.repeat([0, 3, 6, 9], 2)[:count]  # of both environments
    assert batch["step"][:, 0].tolist() == steps.tolist()
    assert CHARS not in batch
    assert (chars == steps[:, None, None]).all()
    # Steps 0 to 4 are of the first episode of an environment, 5 to 9 of its second.
    assert episodes.tolist() == [0, 1, 0, 1, 2, 3, 2, 3][:count]


def test_the_hero_is_in_the_middle_of_a_crop_and_where_his_status_says_on_a_level() -> None:
    chars, episodes = np.full((2, 3, 5), ord("."), np.uint8), np.arange(2)
    status = torch.tensor([[4.0, 0, 9], [1, 2, 9]])  # x, y
    crop = Observed({"glyphs_crop": torch.zeros(2, 3, 5)}, chars, episodes)
    level = {"glyphs": torch.zeros(2, 3, 5)}
    assert crop.hero is not None
    assert crop.hero.tolist() == [[1, 2], [1, 2]]
    on_level = Observed(level | {"blstats": status}, chars, episodes).hero
    assert on_level is not None
    assert on_level.tolist() == [[0, 4], [2, 1]]
    assert Observed(level, chars, episodes).hero is None


def test_a_level_is_drawn_as_far_as_it_was_seen() -> None:
    chars, episodes = np.full((2, 5, 7), ord(" "), np.uint8), np.arange(2)
    chars[0, 1, 2] = chars[1, 3, 3] = ord(".")
    batch = {"glyphs": torch.zeros(2, 5, 7)}
    assert Observed(batch, chars, episodes).frame == (slice(1, 4), slice(2, 4))
    crops = {"glyphs_crop": torch.zeros(2, 5, 7)}
    assert Observed(crops, chars, episodes).frame == (slice(5), slice(7))
    blank = np.zeros_like(chars)
    assert Observed(batch, blank, episodes).frame == (slice(5), slice(7))
