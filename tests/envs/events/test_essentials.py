"""What the third version of the events text leaves out of an action and of a message."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.events.essentials import action_essentials, kind_essentials, message_essentials
from envs.events.judge_rules import RULES
from envs.events.words import quote, words
from envs.tasks import skills
from tests.envs.events.steps import messages, says, signatures


@pytest.mark.parametrize(
    ("action", "message", "essential"),
    [
        ("move far", "", "move"),
        ("rush around corners", "", "move"),
        ("fight", "", "fight"),
        ("pick up", "X - a newt corpse.", "pick up"),
        ("fire", "Unknown command 'f'.", "a key"),
        ("rush", "Invalid direction for 'F' prefix.", "a key"),
    ],
)
def test_what_the_hero_did(action: str, message: str, essential: str) -> None:
    assert action_essentials(action, message) == essential


@pytest.mark.parametrize(
    ("kind", "message", "essential"),
    [
        ("key", "", "key"),
        ("gem or stone", "", "object"),
        ("weapon", "", "weapon"),  # it may be a dagger
        ("weapon", "X - N daggers.", "weapon"),
        ("weapon", "X - a dart. You kill the newt!", "object"),
        ("piece of armor", "X - a robe.", "piece of armor"),
        ("piece of armor", "X - an iron skull cap. X - a dagger.", "object"),
    ],
)
def test_what_was_taken(kind: str, message: str, essential: str) -> None:
    assert kind_essentials(kind, message) == essential


@pytest.mark.parametrize(
    ("message", "essential"),
    [
        ("", ""),
        ("The newt bites! The goblin lord wields a crude dagger!", ""),
        ("It bites! You get zapped! You hear a door open.", ""),
        ("You are almost hit by a dart. A dart misses you.", ""),
        ("The saddled pony kicks!", ""),
        ("You kill the newt! The gnome lord hits!", "You kill the monster!"),
        ("You kill the giant rat! The gnome lord hits!", "You kill the giant rat!"),
        ("Hello Agent, welcome to NetHack! You are a neutral human Caveman.", ""),
        ("You miss the giant rat.", "You miss the monster."),
        ("The crude dagger welds itself to the goblin's hand! The dart hits the newt.", ""),
        ("The dagger welds itself to your hand!", "The dagger welds itself to your hand!"),
        ("X - a lichen corpse.", ""),
        ("X - an acid blob corpse. X - an apple. X - N darts.", "X - an apple."),
        ("You kill the newt! X - a newt corpse.", "You kill the monster!"),
        ("Your newt corpse rots away.", "Your corpse rots away."),
        ("You see here a partly eaten jackal corpse.", "You see here an object."),
        ("You have a little trouble lifting X - an uncursed robe.", "X - a robe."),
        ("You rebalance your load. Movement is difficult.", ""),
        ("X - a +N dagger (weapon in hand).", "X - a +N dagger (weapon in hand)."),
        ("X - a +N club (alternate weapon; not wielded).", ""),
        ("X - an iron wand. X - a cursed circular amulet.", ""),  # their lines tell
        ("X - a circular amulet (being worn).", "X - an amulet (being worn)."),
        ("X - an iron wand (N:N).", "X - a wand (N:N)."),
        ("X - N sky blue potions (unpaid).", "X - N potions (unpaid)."),
        ("You see here a pair of mud boots.", "You see here a pair of boots."),
        ("X - a scroll labeled VELOX NEB (unpaid).", "X - a scroll (unpaid)."),
        ("You see here an unlabeled scroll.", "You see here a scroll."),
        ("Unknown command '''.", "Unknown command 'X'."),
        ("An uncursed flint stone hits the floor.", "A flint stone hits the floor."),
        ("X - an uncursed unicorn horn.", "X - a unicorn horn."),
        ("An iron ring!", "A ring!"),
        ("You sit on the tiger eye ring.", "You sit on the ring."),
        ("The dog eared spellbook is gone.", "The spellbook is gone."),
        ("You wear the gray dragon scales.", "You wear the gray dragon scales."),
        ("You drop an uncursed +N leather armor.", "You drop a leather armor."),
        ("You miss the water elemental of Ishtar.", "You miss the monster."),
        ("You miss the invisible newt.", "You miss the monster."),
        ("You hear a monster behind the boulder. Perhaps that's why you cannot move it.",
         "You hear a monster behind the boulder. Perhaps that's why you cannot move it."),
        ("The newt bites! 'Thou must relearn thy lessons!' You feel foolish!",
         "'Thou must relearn thy lessons!' You feel foolish!"),
        ("You hear a voice: 'Hello!' You kill the newt!", "You kill the monster!"),
        ("You kill it! The newt is killed.", "You kill it!"),
        ("Unknown direction: 'M-a' (use y).", "Unknown direction: 'X' (use y)."),
        ("It's a wall.", "It's a wall."),
        ("There is a staircase up here. You see here a dart.", "You see here an object."),
        ("There is a staircase down here.", "There is a staircase down here."),
        ("X - a wand of cold.", "X - a wand of cold."),
        ("You see here a robe.", "You see here a robe."),
        ("The lava cools and solidifies.", "The lava cools and solidifies."),
        ("With great effort you move the boulder. The boulder fills a pit.",
         "With great effort you move the boulder. The boulder fills a pit."),
    ],
)  # fmt: skip
def test_what_a_message_says(message: str, essential: str) -> None:
    assert message_essentials(message) == essential


@given(messages())
def test_nothing_more_is_left_out_of_what_is_left(message: str) -> None:
    short = message_essentials(message)
    assert message_essentials(short) == short


@given(st.text(max_size=256).map(lambda text: quote(text.encode())))
def test_any_message_can_be_shortened(message: str) -> None:
    short = message_essentials(message)
    assert message_essentials(short) == short


@given(signatures(), messages())
@settings(max_examples=300)
def test_the_judge_says_of_the_third_version_what_it_says_of_the_first(
    signature: np.ndarray, message: str
) -> None:
    first, third = (words(signature, "move", message, "", version) for version in (1, 3))
    for name in (*RULES, *skills.RULES):
        assert says(name, first) == says(name, third), (name, first, third)
