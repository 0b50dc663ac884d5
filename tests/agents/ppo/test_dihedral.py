"""Images of rollouts, by hand; and updates whose passes see them."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from agents.ppo.dihedral import Dihedral
from agents.ppo.fast_ppo import FastPPO
from agents.ppo.rollout import ReusedRolloutBuffer, Rollout
from envs.game.glyphs import COLUMNS, ROWS
from envs.game.symmetries import SYMMETRIES, Symmetry
from tests.agents.ppo.walk import settings

PRESSES = [ord(key) for key in "kljh,"]
MIRRORED = Symmetry(flips_rows=False, flips_columns=True, transposes=False)
QUARTER = Symmetry(flips_rows=True, flips_columns=False, transposes=True)
"""Clockwise."""
VERTICAL, HORIZONTAL = 2360, 2361
SPACE = spaces.Dict(
    glyphs_crop=spaces.Box(0, 5976, (3, 3), np.int16),
    blstats=spaces.Box(-9, 99, (27,), np.int64),
    message=spaces.Box(0, 255, (256,), np.uint8),
)


@pytest.fixture
def rollout() -> Rollout:
    """Of two steps in one environment: north and west, past a wall and a thing beside it."""
    buffer = ReusedRolloutBuffer(2, SPACE, spaces.Discrete(5), device="cpu", n_envs=1)
    buffer.reset()
    buffer.observations["glyphs_crop"][:] = [[VERTICAL, 7, 8], [VERTICAL, 0, 0], [0, 0, 9]]
    buffer.observations["blstats"][:] = np.arange(10, 37)
    buffer.observations["message"][:] = 65
    buffer.actions[:, 0, 0] = 0, 3
    buffer.log_probs[:] = [[-0.5], [-0.25]]
    return Rollout(buffer, torch.device("cpu"), {"glyphs_crop": 2}, chunk=2)


def test_what_is_seen_and_done_is_mirrored_and_what_was_drawn_stays(rollout: Rollout) -> None:
    image = Dihedral(PRESSES).image(rollout, MIRRORED)
    crops = image.stored["glyphs_crop"]
    assert crops[1].tolist() == [[8, 7, VERTICAL], [0, 0, VERTICAL], [9, 0, 0]]
    assert image.actions.flatten().tolist() == [0, 1]  # north, and east for west
    assert image.stored["blstats"][0].tolist() == [COLUMNS - 1 - 10, *range(11, 37)]
    assert torch.equal(image.stored["message"], rollout.stored["message"])
    assert image.log_probs.tolist() == [-0.5, -0.25]
    assert rollout.stored["glyphs_crop"][0].tolist()[0] == [VERTICAL, 7, 8]
    assert rollout.stored["blstats"][0].tolist() == [*range(10, 37)]


def test_a_quarter_turn_brings_the_west_to_the_north(rollout: Rollout) -> None:
    image = Dihedral(PRESSES).image(rollout, QUARTER)
    turned = [[0, HORIZONTAL, HORIZONTAL], [0, 0, 7], [9, 0, 8]]
    assert image.stored["glyphs_crop"][0].tolist() == turned
    assert image.actions.flatten().tolist() == [1, 0]
    assert image.stored["blstats"][0].tolist() == [10, ROWS - 1 - 11, *range(12, 37)]


def test_eight_passes_see_eight_images(rollout: Rollout) -> None:
    views = Dihedral(PRESSES).views(rollout)
    for _ in range(2):
        eight = [next(views).stored["glyphs_crop"][0].flatten().tolist() for _ in SYMMETRIES]
        assert len(set(map(tuple, eight))) == 8


def test_windows_of_crops_turn_too(rollout: Rollout) -> None:
    crops = rollout.stored["glyphs_crop"]
    rollout.stored["window_crop"] = torch.stack([crops + 1, crops], dim=1)
    image = Dihedral(PRESSES).image(rollout, MIRRORED)
    assert torch.equal(image.stored["window_crop"][:, 1], image.stored["glyphs_crop"])
    assert image.stored["window_crop"][0, 0, 0].tolist() == [9, 8, VERTICAL + 1]


class Unturned(Dihedral):
    """Shows each pass the rollout itself."""

    def views(self, rollout: Rollout) -> Iterator[Rollout]:
        while True:
            yield rollout


class Mirrored(Dihedral):
    """Shows each pass the mirror image, seen from behind the mirror: the rollout itself again."""

    def views(self, rollout: Rollout) -> Iterator[Rollout]:
        while True:
            yield self.image(self.image(rollout, MIRRORED), MIRRORED)


def weights(env: VecEnv, augmentation: Dihedral | None) -> dict[str, torch.Tensor]:
    """After two rollouts."""
    model = FastPPO("MultiInputPolicy", env, augmentation=augmentation, **settings())
    env.seed(5)
    model.learn(2 * 21)
    assert model._n_updates == 2 * model.n_epochs
    return model.policy.state_dict()


@pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")
def test_passes_see_what_the_augmentation_shows(env: VecEnv) -> None:
    keys = [ord(key) for key in ",az"]
    plain = weights(env, None)
    for same in (Unturned(keys), Mirrored(keys)):
        assert all(torch.equal(plain[k], w) for k, w in weights(env, same).items())
