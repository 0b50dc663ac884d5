"""Random network distillation: what was learned from pays less than what was not."""

from typing import Any

import numpy as np
import torch

import envs
from agents.bonus.make import make_bonus


def test_what_rnd_has_learned_from_pays_less_than_what_it_has_not() -> None:
    env = envs.make_vec("KeyRoom-S5", 4, bonus=make_bonus("rnd", 8, seed=7), seed=1, workers=0)
    try:
        env.reset(seed=3)
        for actions in np.random.default_rng(0).integers(0, 8, (8, 4)):
            env.step(actions)
        bonus: Any = env.episodes.bonus_source
        known = torch.from_numpy(bonus._after.reshape(-1, bonus.n_glyphs).copy())
        unknown = torch.randint(0, 5000, known.shape, generator=torch.Generator().manual_seed(0))
        bonus._transform.eval()  # its statistics stay as they are
        before = bonus._pay(known).mean() / bonus._pay(unknown).mean()
        for _ in range(200):
            bonus._learn_from(known, torch.zeros(len(known)), known)
        after = bonus._pay(known).mean() / bonus._pay(unknown).mean()
        assert after < 0.5 * before
        target = [p for p in bonus._distillation.target_network.parameters() if p.requires_grad]
        assert target == []
    finally:
        env.close()
