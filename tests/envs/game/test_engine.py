"""What is wrong with a task or level that can't be played; `tests/whole` plays those that can."""

from dataclasses import replace
from pathlib import Path

import pytest

from calm.errors import GameError, UsageError
from envs.game.engine import (
    ENGINE_KEYS,
    Rules,
    check_level,
    make_minihack,
    read_rules,
    rule_keys,
)

ROOM = """MAZE: "mylevel", ' '
GEOMETRY: center, center
MAP
...
ENDMAP
"""


def test_a_task_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'MiniHack-Room-5x5-v0'"):
        make_minihack("MiniHack-Room-5x6-v0")


def test_rules_are_what_minihack_has() -> None:
    env = make_minihack("MiniHack-KeyRoom-S5-v0", {"max_episode_steps": 7})
    rules = read_rules(env)
    env.close()
    assert (rules.path, rules.max_steps, rules.ends_on_stairs) == ("keyroom", 7, True)
    assert (rules.reward_win, rules.reward_lose, rules.penalty_step) == (1.0, 0.0, -0.01)
    assert rules.actions[-2:] == ("pick up", "apply")
    assert rules.fix_moon_phase  # ours, where MiniHack follows the calendar


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


def rules_of(id: str) -> Rules:
    env = make_minihack(f"MiniHack-{id}")
    rules = read_rules(env)
    env.close()
    return rules


@pytest.mark.parametrize(
    ("id", "more"),
    [
        ("KeyRoom-S5-v0", {"glyphs", "inv_glyphs", "inv_letters"}),
        ("Eat-v0", set()),
        ("Pray-v0", {"screen_descriptions"}),
        ("Sokoban1a-v1", {"chars"}),
    ],
)
def test_rules_read_few_keys(id: str, more: set[str]) -> None:
    assert set(rule_keys(rules_of(id))) - set(rule_keys(rules_of("Room-5x5-v0"))) == more


def test_a_manager_of_a_kind_that_we_do_not_read_is_left_to_minihack() -> None:
    env = make_minihack("MiniHack-Eat-v0")
    env.reward_manager.add_location_event("fountain")
    rules = read_rules(env)
    env.close()
    assert (rules.path, rules.conditions) == ("minihack", ())


def test_minihacks_own_step_reads_all_keys() -> None:
    rules = replace(rules_of("Room-5x5-v0"), path="minihack")
    assert set(rule_keys(rules)) == set(ENGINE_KEYS)


def test_sokoban_pays_by_pits_and_not_for_idle_steps() -> None:
    rules = rules_of("Sokoban1a-v1")
    assert (rules.path, rules.to_be_gone, rules.ends_on_stairs) == ("rules", "^", False)
    assert (rules.reward_win, rules.reward_lose, rules.penalty_step) == (1.0, 0.0, 0.0)
    assert (rules.reward_step, rules.reward_gone) == (-0.001, 0.1)


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
