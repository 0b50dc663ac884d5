"""Players: the scripted one finishes its tasks, all are reproducible."""

import numpy as np
import pytest

from calm.errors import UsageError
from envs.collect import play
from envs.players.scripted import PLAYERS, Random, Sloppy, make_player


@pytest.mark.parametrize(
    ("task_id", "episodes"),
    [("KeyRoom-S5", 20), ("KeyRoom-S15", 20), ("KeyRoom-Fixed-S5", 5), ("KeyRoom-Dark-S5", 10),
     ("KeyRoom-Dark-S15", 3), ("Room-Random-15x15", 10), ("Room-Dark-15x15", 3),
     ("Corridor-R2", 3), ("MazeWalk-9x9", 5), ("River-Narrow", 1)],
)  # fmt: skip
def test_scripted_player_finishes(task_id: str, episodes: int) -> None:
    steps = list(play(task_id, "scripted", episodes=episodes, seed=6))
    ends = [s for s in steps if s.transition.terminated or s.transition.truncated]
    won = [s for s in ends if s.truth["reach the staircase down"]]
    assert len(ends) == episodes
    assert len(won) == episodes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task_id", "share"),
    [("River", 0.9), ("River-Lava", 0.4), ("Corridor-R3", 0.8), ("Corridor-R5", 0.7),
     ("Room-Monster-15x15", 0.9), ("MazeWalk-45x19", 0.8)],
)  # fmt: skip
def test_scripted_player_mostly_finishes(task_id: str, share: float) -> None:
    steps = list(play(task_id, "scripted", episodes=20, seed=6))
    assert sum(s.truth["reach the staircase down"] for s in steps) >= share * 20


@pytest.mark.parametrize("player", PLAYERS)
def test_same_seed_same_play(player: str) -> None:
    runs = [list(play("KeyRoom-S5", player, episodes=2, seed=8)) for _ in range(2)]
    assert [s.transition for s in runs[0]] == [s.transition for s in runs[1]]
    other = list(play("KeyRoom-S5", player, episodes=2, seed=9))
    assert [s.transition for s in runs[0]] != [s.transition for s in other]


def test_random_player_takes_every_action_equally_often() -> None:
    player = Random("KeyRoom-S5")
    player.begin(np.random.default_rng(0))
    counts = np.bincount([player.act({}) for _ in range(5000)], minlength=10)
    assert counts.size == 10
    assert (abs(counts - 500) < 100).all()


def test_sloppy_player_slips_as_often_as_told() -> None:
    class Still:
        name = "still"

        def begin(self, rng: np.random.Generator) -> None: ...

        def act(self, seen: object) -> int:
            return 0

    player = Sloppy(Still(), "KeyRoom-S5", share=0.5)
    player.begin(np.random.default_rng(0))
    actions = np.array([player.act({}) for _ in range(4000)])
    assert abs((actions != 0).mean() - 0.45) < 0.03  # a tenth of the slips is action 0 too
    with pytest.raises(UsageError, match="lies in"):
        Sloppy(Still(), "KeyRoom-S5", share=1.5)


def test_unknown_player() -> None:
    with pytest.raises(UsageError, match="did you mean 'random'"):
        make_player("randum", "KeyRoom-S5")
