"""Actions in English: names, kinds, and the action sets of MiniHack's tasks."""

import pytest
from nle import nethack

from envs.game.actions import BY_NAME, CORRIDOR, KEYROOM, MOVES, SKILLS, english, kind


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (nethack.CompassDirection.NE, "move northeast"),
        (nethack.CompassDirectionLonger.W, "move far west"),
        (nethack.MiscDirection.WAIT, "wait"),
        (nethack.Command.PICKUP, "pick up"),
        (nethack.Command.EAT, "eat"),
        (nethack.TextCharacters.SPACE, "press space"),
        (nethack.TextCharacters.PLUS, "press +"),
    ],
)
def test_an_action_has_an_english_name(action: nethack.Command, name: str) -> None:
    assert english(action) == name
    assert BY_NAME[name] == action


def test_the_kind_of_an_action_is_its_name_without_the_direction() -> None:
    assert [kind(n) for n in ("move far east", "go up", "put on")] == [
        "move far",
        "go up",
        "put on",
    ]
    assert {kind(english(move)) for move in MOVES} == {"move"}


def test_no_two_actions_share_a_name() -> None:
    assert len({english(action) for action in nethack.ACTIONS}) == len(nethack.ACTIONS)


def test_action_sets_are_minihacks() -> None:
    assert [len(actions) for actions in (MOVES, KEYROOM, CORRIDOR)] == [8, 10, 11]
    assert nethack.MiscDirection.UP not in SKILLS
    assert len(SKILLS) == len(nethack.USEFUL_ACTIONS) - 1
