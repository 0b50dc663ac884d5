"""`make` and `make_vec`: what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs
from calm.errors import GameError, UsageError

TASK = "KeyRoom-S5"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "KeyRom-S5"}, "KeyRoom-S5"),
        ({"kind": "sb4"}, "sb3"),
        ({"kind": "sb3", "copy": False}, "copy"),
        ({"split": "training"}, "train"),
        ({"keys": ("glyfs",)}, "glyphs"),
        ({"descriptions": 4}, "versions 1, 2, 3; got 4"),
        ({"judge": "rules"}, "Annotator"),
        ({"judge": "truth", "shaping": "twice"}, "once"),
        ({"judge": "truth", "gamma": 1.5}, "gamma"),
        ({"judge": "truth", "gamma": float("nan")}, "gamma"),
        ({"judge": "truth", "weight": float("nan")}, "weight"),
        ({"judge": "truth", "subgoals": ()}, "no given subgoals"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], words: str) -> None:
    settings = {"task": TASK, "n_envs": 1, **settings}
    with pytest.raises(UsageError, match=words):
        envs.make_vec(**settings)


@pytest.mark.parametrize("kind", ["gym", "sb3"])
def test_both_interfaces_name_what_is_wrong(kind: Any) -> None:
    with pytest.raises(UsageError, match="at least one"):
        envs.make_vec(TASK, 0, kind=kind)
    with pytest.raises(UsageError, match="'glyphs'"):
        envs.make_vec(TASK, 1, kind=kind, keys=("glyph",))
    level = {"des_file": "MAZE: \"mylevel\", ' '\nMAPP\n.\nENDMAP\n"}
    with pytest.raises(GameError, match="syntax error"):
        envs.make_vec("MiniHack-Navigation-Custom-v0", 1, kind=kind, options=level)
    vec = envs.make_vec(TASK, 2, kind=kind, workers=0)
    with pytest.raises(UsageError, match=r"reset\(\) before"):
        vec.step(np.array([0, 0]))
    vec.reset()
    for actions, words in (([0], "2 integers"), ([0, 10], "from 0 to 9"), ([0.5, 0], "integers")):
        with pytest.raises(UsageError, match=words):
            vec.step(np.array(actions))
    vec.close()
    for call in (vec.reset, lambda: vec.step(np.array([0, 0]))):
        with pytest.raises(UsageError, match="closed"):
            call()
