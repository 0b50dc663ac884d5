"""What is wrong with a task or level that can't be played; `tests/whole` plays those that can."""

from pathlib import Path

import pytest

from calm.errors import GameError, UsageError
from envs.game.minihack_env import check_level, make_minihack
from envs.game.rules import read_rules

ROOM = """MAZE: "mylevel", ' '
GEOMETRY: center, center
MAP
...
ENDMAP
"""


def test_a_task_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'MiniHack-Room-5x5-v0'"):
        make_minihack("MiniHack-Room-5x6-v0")


@pytest.mark.parametrize(
    ("id", "options", "message"),
    [
        ("Room-5x5-v0", {"penalty_mode": "sqare"}, "did you mean 'square'|unknown penalty_mode"),
        ("Room-5x5-v0", {"reward_win": "much"}, "can't be made with .*could not convert"),
        ("Room-5x5-v0", {"max_episode_steps": None}, "can't be made with .*NoneType"),
        ("Room-5x5-v0", {"actions": ()}, "can't be made with .*positive"),
        ("Room-5x5-v0", {"actions": (107,)}, "can't be made with .*'int'"),
        ("MultiRoom-N2-v0", {"door_state": "ajar"}, "can't be made with .*'ajar'"),
    ],
)
def test_an_option_that_can_not_be_is_told_at_once(
    id: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_minihack(f"MiniHack-{id}", options)


@pytest.mark.parametrize(("id", "limit"), [("KeyRoom-S5", 200), ("KeyRoom-S15", 400)])
def test_a_keyroom_takes_a_level_and_keeps_its_limit_and_macro(id: str, limit: int) -> None:
    env = make_minihack(f"MiniHack-{id}-v0", {"des_file": ROOM})
    rules = read_rules(env)
    env.close()
    assert (rules.path, rules.max_steps) == ("keyroom", limit)
    assert rules.actions[-2:] == ("pick up", "apply")
    env = make_minihack(f"MiniHack-{id}-v0", {"des_file": ROOM, "max_episode_steps": 7})
    assert read_rules(env).max_steps == 7
    env.close()


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (ROOM.replace("MAZE", "MAZED"), "the level of Mine-v0 does not compile"),
        (ROOM.replace("mylevel", "myroom"), 'it must be named "mylevel"'),
        ("no/such.des", "there is no 'no/such.des'"),
    ],
)
def test_a_level_that_can_not_be_played_is_no_other_one(level: str, message: str) -> None:
    with pytest.raises(GameError, match=message):
        check_level("Mine-v0", level)


def test_a_level_that_compiles_is_fine_as_text_and_as_file(tmp_path: Path) -> None:
    check_level("Mine-v0", ROOM)
    (tmp_path / "mine.des").write_text(ROOM)
    check_level("Mine-v0", str(tmp_path / "mine.des"))
