"""The pusher, in levels of Boxoban drawn by hand, and in Sokoban."""

from itertools import islice
from pathlib import Path

import pytest

from envs.collect import play
from envs.game.levels.boxoban import FOLDER
from tests.support.boxoban import ONE_PUSH, SOUTH, TWO_BOXES, write_levels


@pytest.mark.parametrize(("level", "pushes"), [(ONE_PUSH, 1), (SOUTH, 2), (TWO_BOXES, 0)])
def test_it_finishes_a_level_of_boxoban(
    level: str, pushes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(write_levels(tmp_path, levels=(level,))))
    rows = list(play("Boxoban-Hard", "scripted", episodes=1))
    assert rows[-1].transition.terminated
    assert rows[-1].provenance["player"] == "scripted"
    assert sum(r.truth["push a boulder onto a fountain"] for r in rows) == level.count("$")
    if pushes:
        assert len(rows) == pushes


def test_it_fills_pits_of_sokoban() -> None:
    rows = islice(play("MiniHack-Sokoban3a-v1", "scripted", seed=5), 60)
    assert sum(r.truth["fill a pit with a boulder"] for r in rows) >= 2
