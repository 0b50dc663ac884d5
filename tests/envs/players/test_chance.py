"""Players that leave actions to chance."""

import numpy as np
import pytest

from calm.errors import UsageError
from envs.players.chance import Random, Sloppy


def test_random_player_takes_every_action_equally_often() -> None:
    player = Random(10)
    player.begin(np.random.default_rng(0))
    counts = np.bincount([player.act({}) for _ in range(5000)], minlength=10)
    assert counts.size == 10
    assert (abs(counts - 500) < 100).all()


def test_sloppy_player_slips_as_often_as_told() -> None:
    class Still:
        name = "still"

        def begin(self, rng: np.random.Generator) -> None: ...

        def act(self, arrays: object) -> int:
            return 0

    player = Sloppy(Still(), 10, share=0.5)
    player.begin(np.random.default_rng(0))
    actions = np.array([player.act({}) for _ in range(4000)])
    assert abs((actions != 0).mean() - 0.45) < 0.03  # a tenth of the slips is action 0 too
    with pytest.raises(UsageError, match="lies in"):
        Sloppy(Still(), 10, share=1.5)
