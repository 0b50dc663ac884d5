"""Rules are what MiniHack's objects have, and what ours can't step is left to MiniHack."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nle.nethack import CompassDirection

from envs.game.engine import ENGINE_KEYS
from envs.game.minihack_env import make_minihack
from envs.game.rules import Rules, read_rules, rule_keys


def test_rules_are_what_minihack_has() -> None:
    env = make_minihack("MiniHack-KeyRoom-S5-v0", {"max_episode_steps": 7})
    rules = read_rules(env)
    env.close()
    assert (rules.path, rules.max_steps, rules.ends_on_stairs) == ("keyroom", 7, True)
    assert (rules.reward_win, rules.reward_lose, rules.penalty_step) == (1.0, 0.0, -0.01)
    assert rules.actions[-2:] == ("pick up", "apply")
    assert rules.fix_moon_phase  # ours, where MiniHack follows the calendar


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
        ("Pray-v0", {"glyphs"}),
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


@pytest.mark.parametrize("limit", [2**31, 2**40, float("inf")])
def test_a_limit_that_no_episode_reaches_is_the_largest_that_is_counted(limit: float) -> None:
    env = make_minihack("MiniHack-Room-5x5-v0", {"max_episode_steps": limit})
    rules = read_rules(env)
    env.close()
    assert (rules.path, rules.max_steps) == ("rules", 2**31 - 1)


def test_more_actions_than_a_byte_numbers_are_left_to_minihack() -> None:
    for n, path in ((256, "rules"), (257, "minihack")):
        env = make_minihack("MiniHack-Room-5x5-v0", {"actions": (CompassDirection.N,) * n})
        assert read_rules(env).path == path
        env.close()


def test_a_class_that_seeds_in_its_own_way_is_left_to_minihack() -> None:
    env = make_minihack("MiniHack-MultiRoom-N2-v0")

    class OneLevel(type(env)):  # type: ignore[misc]
        def seed(self, *_: object) -> None:
            super().seed(5, 5, False)

    env.__class__ = OneLevel
    assert read_rules(env).path == "minihack"
    env.close()


def test_a_class_that_counts_pits_in_its_own_way_is_left_to_minihack() -> None:
    env = make_minihack("MiniHack-Sokoban1a-v1")

    class NoPits(type(env)):  # type: ignore[misc]
        def _object_positions(self, *_: object) -> set[object]:
            return set()

    env.__class__ = NoPits
    assert read_rules(env).path == "minihack"
    env.close()


def test_minihacks_own_step_reads_all_keys() -> None:
    rules = replace(rules_of("Room-5x5-v0"), path="minihack")
    assert set(rule_keys(rules)) == set(ENGINE_KEYS)


def test_sokoban_pays_by_pits_and_not_for_idle_steps() -> None:
    rules = rules_of("Sokoban1a-v1")
    assert (rules.path, rules.to_be_gone, rules.ends_on_stairs) == ("rules", "^", False)
    assert (rules.reward_win, rules.reward_lose, rules.penalty_step) == (1.0, 0.0, 0.0)
    assert (rules.reward_step, rules.reward_gone) == (-0.001, 0.1)
