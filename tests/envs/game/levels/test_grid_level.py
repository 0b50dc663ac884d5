"""Levels of minigrid's grids: the text is MiniHack's, the bytes are those of NetHack's compiler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from envs.game.levels.code import VERSION_BYTES
from envs.game.levels.compiler import lev_comp
from envs.game.levels.grid_level import GridLevel
from envs.game.minihack_env import make_minihack, minihack_ids, seeded_levels
from envs.game.rules import read_rules

TASKS = [id for id in minihack_ids() if "MultiRoom" in id or "Crossing" in id]
LEVEL = GridLevel(
    rows=("|||||||", "|..+..|", "|||||||"),
    start=(1, 1),
    goal=(5, 1),
    doors=((3, 1),),
    door_state="closed",
    monsters=0,
    traps=0,
)


def compare(task: str, texts: int, bytes_: int) -> None:
    """Compares the levels of the first seeds with what MiniHack and its compiler make of them."""
    theirs, own = make_minihack(task), make_minihack(task)
    levels = seeded_levels(own, read_rules(own))
    assert levels is not None
    for seed in reversed(range(texts)):
        theirs.seed(seed, seed, False)
        text = theirs.get_env_desc()
        assert levels.draw(seed).des_file() == text
        if seed < bytes_:
            assert levels.compile(seed) == lev_comp(text)
    theirs.close()
    own.close()


@pytest.mark.parametrize("task", TASKS[::5])
def test_levels_are_those_that_minihack_makes(task: str) -> None:
    compare(task, 20, 2)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_hundreds_of_levels_of_each_task_are_those_that_minihack_makes(task: str) -> None:
    compare(task, 300, 50)


@pytest.mark.parametrize(
    "changes",
    [
        *({"door_state": state} for state in ("nodoor", "locked", "open", "random")),
        {"goal": None},
        {"monsters": 2, "traps": 3},
        {"doors": (), "start": (0, 0)},
        {"rows": ("LLLLLLL", "L..+..L", "LLLLL  ", "LLLLL  "), "doors": ((3, 1), (4, 2))},
    ],
    ids=str,
)
def test_writes_what_the_compiler_writes(changes: dict[str, Any]) -> None:
    level = replace(LEVEL, **changes)
    compiled = lev_comp(level.des_file())
    assert level.encode(compiled[:VERSION_BYTES]) == compiled
