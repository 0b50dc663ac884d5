"""The half-trained player: what it sees, how it draws, and that its weights are what they say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from calm.errors import UsageError
from envs.collect import play
from envs.game.glyphs import CLOSED_DOORS, NO_GLYPH, ROOM_FLOORS, STAIRCASE_DOWN, STONE
from envs.players.half_trained import (
    KIND_OF_GLYPH,
    KINDS,
    LAYERS,
    SOUGHT,
    WEIGHTS,
    WIDTH,
    HalfTrained,
    features,
    load_network,
    logits,
    save_network,
    trained_tasks,
)

FLOOR, DOOR = ROOM_FLOORS[0], CLOSED_DOORS[0]
KEY_GLYPH = 2102  # GLYPH_OBJ_OFF + 196, a skeleton key


def scene(*placed: tuple[int, int, int], hero: tuple[int, int] = (5, 7)) -> np.ndarray:
    glyphs = np.full((1, 21, 79), FLOOR, np.int16)
    for y, x, glyph in placed:
        glyphs[0, y, x] = glyph
    blstats = np.zeros((1, 27), np.int64)
    blstats[0, :2] = hero[1], hero[0]
    return features(glyphs, blstats, np.full((1, 55), NO_GLYPH, np.int16))[0]


def test_the_nearest_thing_of_each_kind() -> None:
    row = scene((5, 10, DOOR), (0, 7, DOOR), (15, 2, STAIRCASE_DOWN))
    by_kind = row[: 5 * len(SOUGHT)].reshape(-1, 5)
    assert by_kind[SOUGHT.index("key")].tolist() == [0, 0, 0, 0, 0]
    # Three to the right is nearer than five up; ten down is more than eight.
    assert by_kind[SOUGHT.index("closed door")].tolist() == [1, 0, 3 / 8, 0, 1]
    assert by_kind[SOUGHT.index("staircase down")].tolist() == [1, 1, -5 / 8, 1, -1]


def test_the_cells_around_and_the_key() -> None:
    corner = scene((0, 1, STONE), (1, 0, STONE + 2), hero=(0, 0))
    around = corner[5 * len(SOUGHT) : -1].reshape(8, KINDS)
    assert around.sum(1).tolist() == [1] * 8
    kinds = around.argmax(1)
    # Above and to the left is nothing; right stone, below a wall, below right floor.
    assert kinds[:4].tolist() == [KIND_OF_GLYPH[NO_GLYPH]] * 4
    assert kinds[4:].tolist() == [
        KIND_OF_GLYPH[STONE],
        KIND_OF_GLYPH[NO_GLYPH],
        KIND_OF_GLYPH[STONE + 2],
        KIND_OF_GLYPH[FLOOR],
    ]
    glyphs, blstats = np.full((2, 21, 79), FLOOR, np.int16), np.ones((2, 27), np.int64)
    carried = np.full((2, 55), NO_GLYPH, np.int16)
    carried[1, 3] = KEY_GLYPH
    assert features(glyphs, blstats, carried)[:, -1].tolist() == [0, 1]


def test_logits_by_hand() -> None:
    network = {
        "first.weight": np.zeros((2, WIDTH)), "first.bias": np.array([1.0, -1.0]),
        "second.weight": np.array([[2.0, 5.0]]), "second.bias": np.array([0.5]),
        "action.weight": np.array([[1.0], [-1.0]]), "action.bias": np.array([0.0, 1.0]),
    }  # fmt: skip
    network["first.weight"][0, -1] = 3.0
    # First layer (1 + 3, max(-1, 0)), second 2·4 + 0.5.
    assert logits(network, np.eye(WIDTH)[-1]).tolist() == [8.5, -7.5]


def test_actions_are_drawn_as_often_as_the_network_says() -> None:
    network = load_network(WEIGHTS / "MiniHack-KeyRoom-S5-v0.npz")
    flat = {name: np.zeros_like(array) for name, array in network.items()}
    flat["action.bias"][:3] = np.log([2, 1, 1])
    flat["action.bias"][3:] = -100
    player = HalfTrained("KeyRoom-S5", flat)
    player.begin(np.random.default_rng(3))
    row = {
        "glyphs": np.full((21, 79), FLOOR, np.int16),
        "blstats": np.ones(27, np.int64),
        "inv_glyphs": np.full(55, NO_GLYPH, np.int16),
    }
    drawn = np.bincount([player.act(row) for _ in range(4000)], minlength=4)
    # Within five standard deviations of 2000, 1000, 1000.
    assert abs(drawn[0] - 2000) < 160
    assert abs(drawn[1] - 1000) < 140
    assert drawn[:3].sum() == 4000


def test_weights_are_small_and_as_their_provenance_says() -> None:
    assert trained_tasks() == ["MiniHack-KeyRoom-S15-v0", "MiniHack-KeyRoom-S5-v0"]
    for task in trained_tasks():
        path = WEIGHTS / f"{task}.npz"
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == about["sha256"]
        assert 0.3 <= about["success"] <= 0.6
        assert path.stat().st_size < 100_000
        with np.load(path) as arrays:
            assert {a.dtype for a in arrays.values()} == {np.dtype(np.float32)}


def test_it_finishes_some_and_not_all_and_the_same_again() -> None:
    def ends(seed: int) -> list[bool]:
        player = HalfTrained("KeyRoom-S5")
        return [
            p.truth["reach the staircase down"]
            for p in play("KeyRoom-S5", player, episodes=8, split="test", seed=seed)
            if p.transition.terminated or p.transition.truncated
        ]

    actions = ends(4)
    assert 1 <= sum(actions) <= 7
    assert actions == ends(4)


def test_what_is_no_network_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="cannot be read as a network's arrays"):
        load_network(path)
    save_network(path, {f"{layer}.weight": np.ones((2, 3)) for layer in LAYERS})
    with pytest.raises(UsageError, match=r"expected .*first\.bias"):
        load_network(path)
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="cannot be read"):
        load_network(path)
    with pytest.raises(UsageError, match="unknown task with a half-trained player"):
        HalfTrained("River")
