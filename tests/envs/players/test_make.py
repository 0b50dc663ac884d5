"""Players by name."""

import numpy as np
import pytest

from calm.errors import UsageError
from envs.players.forager import Forager
from envs.players.half_trained import HalfTrained
from envs.players.make import Renumbered, make_player
from envs.players.pusher import Pusher
from envs.players.quest import Quester
from envs.players.skill import SkillPlayer


def test_unknown_player() -> None:
    with pytest.raises(UsageError, match="did you mean 'random'"):
        make_player("randum", "KeyRoom-S5")


def test_the_specialists_and_what_they_play() -> None:
    assert isinstance(make_player("quester", "Quest-Easy"), Quester)
    assert make_player("sloppy-quester", "WoD-Easy-Full").name == "sloppy-quester"
    assert isinstance(make_player("scripted", "ExploreMaze-Easy"), Forager)
    assert isinstance(make_player("scripted", "MiniHack-Sokoban1a-v1"), Pusher)
    assert isinstance(make_player("half-trained", "KeyRoom-S5"), HalfTrained)
    assert isinstance(make_player("scripted", "Eat"), SkillPlayer)
    with pytest.raises(UsageError, match="plays the quests"):
        make_player("quester", "KeyRoom-S5")
    with pytest.raises(UsageError, match="half-trained"):
        make_player("half-trained", "River")


def test_actions_in_another_order_are_played_by_name() -> None:
    class Cycle:
        name = "cycle"

        def begin(self, rng: object) -> None:
            self.next = iter([0, 1, 2])

        def act(self, arrays: object) -> int:
            return next(self.next)

    player = Renumbered(Cycle(), ("north", "take", "east"), ("take", "north"))
    player.begin(np.random.default_rng(0))
    assert [player.act({}) for _ in range(2)] == [1, 0]
    drawn = []
    for seed in range(20):
        player.begin(np.random.default_rng(seed))
        drawn.append([player.act({}) for _ in range(3)][-1])
    assert set(drawn) == {0, 1}  # there is no east
