"""Conditions are read from MiniHack's reward managers, all of one or none."""

from __future__ import annotations

from minihack.envs.exploremaze import stairs_reward_function
from minihack.reward_manager import LocActionEvent, RewardManager, SequentialRewardManager
from nle import nethack

from envs.game.conditions import Condition, packed, read_conditions
from envs.game.glyphs import ALTAR

PRAY = int(nethack.Command.PRAY)


def test_conditions_are_those_of_minihacks_manager() -> None:
    manager = RewardManager()
    manager.add_eat_event("pear", reward=0.5, repeatable=True, terminal_required=False)
    manager.add_positional_event("Altar", "pray")
    manager.add_custom_reward_fn(stairs_reward_function)
    pear, altar, stairs = read_conditions(manager) or ()
    assert pear == Condition("message", 0.5, pear.texts, 0, 0, True, False, False)
    assert pear.texts[0] == b"This pear is delicious"
    assert altar == Condition("deed", 1.0, (), ALTAR, PRAY)
    assert stairs == Condition("stairs", 1.0, repeatable=True, required=False)
    assert packed(pear).startswith(b"This pear is delicious\0Blecch!")
    assert packed(pear).endswith(b"Core dumped.\0")


def test_a_manager_with_other_conditions_is_left_to_minihack() -> None:
    assert read_conditions(None) is None
    assert read_conditions(SequentialRewardManager()) is None
    assert read_conditions(RewardManager()) is None  # which is won at once
    managers = [RewardManager() for _ in range(8)]
    managers[0].add_location_event("fountain")
    managers[1].add_custom_reward_fn(lambda *_: 0.0)
    managers[2].add_message_event(["a" * 256])
    managers[4].add_positional_event("fountain", "quaff")
    for _ in range(5):
        managers[3].add_message_event(["a"])
    managers[5].add_message_event(["a", ""])
    managers[6].add_message_event(["a\0b"])
    managers[7].add_event(LocActionEvent(1, False, True, False, loc="altar", action="pray"))
    assert [read_conditions(manager) for manager in managers] == [None] * 8
