"""`calm players train` passes its options on and prints how good the player is."""

from pathlib import Path

import pytest

from agents.data_sets import train_half_trained
from envs.players.half_trained import WEIGHTS
from tests.support.command_line import calm

ABOUT = {
    "task": "MiniHack-KeyRoom-S5-v0",
    "train_steps": 4096,
    "success": 0.45,
    "success_95": [0.3828, 0.5192],
    "held_out_levels": 200,
}


def test_a_trained_player_is_summed_up_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(train_half_trained, "train_player", lambda *a: calls.append(a) or ABOUT)
    output = calm("players", "train", "KeyRoom-S5", "--goal", 0.4, "--seed", 7, "--out", tmp_path)
    assert output == "MiniHack-KeyRoom-S5-v0: 4096 steps, 0.450 [0.383 0.519] of 200\n"
    calm("players", "train", "KeyRoom-S5")
    assert calls == [
        ("KeyRoom-S5", 0.4, 3_000_000, 7, tmp_path),
        ("KeyRoom-S5", 0.33, 3_000_000, 0, WEIGHTS),
    ]
