"""The words of a signature, and what is quoted of the game's messages."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.events import signature as layout
from envs.events import tables
from envs.events.words import clean, quote, words
from envs.game.glyphs import CARRIED, THING


def test_message_is_cleaned() -> None:
    raw = b"You\x1b[1m see\x07 here  2\tdaggers.\0leftover"
    assert clean(raw) == "You [1m see here 2 daggers."
    assert clean(np.frombuffer(raw, np.uint8)) == clean(raw)


@given(st.binary(max_size=256))
@settings(max_examples=50)
def test_any_message_becomes_one_plain_line(raw: bytes) -> None:
    assert re.fullmatch(r"(?:[!-~]+(?: [!-~]+)*)?", clean(raw))


def signature(**columns: int) -> np.ndarray:
    row = np.zeros(layout.WIDTH, np.uint8)
    for name, value in columns.items():
        row[getattr(layout, name)] = value
    return row


def test_the_second_version_names_no_key_that_answers() -> None:
    asked, question = signature(FLAGS=layout.ASKED), "What do you want to wear? [X or ?*]"
    texts = [[words(asked, action, "", question, version) for action in ("fire", "read")]
             for version in (1, 2)]  # fmt: skip
    assert texts[0][0].startswith(f'Action: fire, answering "{question}"')
    assert texts[0][0] != texts[0][1]
    assert texts[1] == [f'Action: a key, answering "{question}"\nNothing changed.'] * 2
    assert words(signature(), "fire", "", "", 2) == words(signature(), "fire", "", "")


def test_words_of_a_signature() -> None:
    row = signature(
        FLAGS=layout.MOVED | layout.WITH_KEY | layout.CROSSED, GROUND_NOW=3, HP=1, HUNGER=3
    )
    row[THING["staircase down"]] = 8 * tables.ABSENT + tables.WITHIN_4
    row[THING["closed door"]] = 8 * tables.WITHIN_4 + tables.NEXT_TO
    row[THING["monster"]] = 8 * tables.FAR + tables.NEXT_TO
    row[THING["boulder"]] = tables.AWAY
    row[THING["wand"]] = tables.LOST
    row[layout.ENTERED] = (1 << CARRIED.index("key"), 0)
    row[layout.LEFT] = (1 << CARRIED.index("amulet"), 0)
    assert words(row, "move", "Ouch!", "").splitlines() == [
        "Action: move.",
        "The hero carries the key.",
        'Message: "Ouch!"',
        "The key entered the inventory.",
        "An amulet left the inventory.",
        "The hero moved.",
        "The hero came to the other side of the water or lava.",
        "The hero stepped into a doorway.",
        "The hero came next to a closed door (before: within 4 steps).",
        "The staircase down came into view, within 4 steps.",
        "The hero went away from a boulder.",
        "A wand went out of view.",
        "The hero came next to a monster (before: in view, farther away).",
        "Hit points fell.",
        "The hero is now hungry.",
    ]


def test_the_third_version_leaves_out_what_no_given_subgoal_asks_about() -> None:
    row = signature(FLAGS=layout.MOVED, HP=1, BURDEN=2)
    row[layout.ENTERED] = (1 << CARRIED.index("weapon") | 1 << CARRIED.index("horn"), 1 << 1)
    row[THING["staircase down"]] = 8 * tables.ABSENT + tables.WITHIN_4
    row[THING["monster"]] = 8 * tables.FAR + tables.NEXT_TO
    row[THING["boulder"]] = tables.AWAY
    row[THING["wand"]] = tables.LOST
    row[THING["open door"]] = 8 * tables.ABSENT + tables.FAR
    assert words(row, "rush", "The newt bites!", "", 3).splitlines() == [
        "Action: move.",
        "A horn entered the inventory.",
        "A weapon entered the inventory.",
        "An object entered the inventory.",
        "The hero moved.",
        "The staircase down came into view, within 4 steps.",
        "The hero came next to a monster (before: in view, farther away).",
    ]
    assert len(words(row, "rush", "The newt bites!", "", 2).splitlines()) == 13
    healed = words(signature(HP=2), "quaff", "You feel better.", "", 3)
    assert healed == 'Action: quaff.\nMessage: "You feel better."\nHit points rose.'


def test_the_third_version_of_a_question() -> None:
    question = "Are you really sure you want to break your iron wand? [yn] (n)"
    text = words(signature(FLAGS=layout.ASKED), "fire", "", question, 3)
    without_look = question.replace("iron ", "")
    assert text == f'Action: a key, answering "{without_look}"\nNothing of note changed.'


def test_a_hero_that_stood_still_has_neither_come_nor_gone() -> None:
    row = signature(EXPERIENCE=2)
    row[THING["monster"]] = tables.LOST
    row[THING["boulder"]] = tables.AWAY
    row[THING["key"]] = 8 * tables.WITHIN_4 + tables.NEXT_TO
    row[THING["object"]] = 8 * tables.FAR + tables.NEXT_TO
    row[THING["lava"]] = 8 * tables.ABSENT + tables.WITHIN_2
    assert words(row, "move", "You kill the newt!", "").splitlines() == [
        "Action: move.",
        'Message: "You kill the newt!"',
        "The hero did not move.",
        "The key is next to the hero now (before: within 4 steps).",
        "A boulder is farther away now.",
        "Lava came into view, within 2 steps.",
        "An object is next to the hero now (before: in view, farther away).",
        "A monster is gone from view now.",
        "Experience points rose.",
    ]


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        (b"g - a key named The Master Key of Thievery.", "X - a key named The Master Key of"),
        (b"b - 12 +0 daggers (in quiver).  c - a wand.", "X - N +N daggers (in quiver). X - a w"),
        (b"$ - 12 gold pieces.", "$ - N gold pieces."),  # always this sign
        (b"What do you want to read? [$a-hKQ or ?*]", "What do you want to read? [X or ?*]"),
        (b"What do you want to wield? [- abc or ?*]", "What do you want to wield? [X or ?*]"),
        (b"What do you want to zap? [*]", "What do you want to zap? [*]"),
        (b"Adjust letter to what [bd-zA-Z]? (? see used letters)", "Adjust letter to what [X]?"),
        (b"Really attack the guard? [yn] (n)", "Really attack the guard? [yn] (n)"),
        (b"Which ring-finger, Right or Left? [rl]", "Which ring-finger, Right or Left? [rl]"),
        (b"Eat it? [ynq] (n)", "Eat it? [ynq] (n)"),
        (b"A bell - of brass - rings.", "A bell - of brass - rings."),
    ],
)
def test_letters_of_the_inventory_are_one_sign(message: bytes, quoted: str) -> None:
    assert quote(message).startswith(quoted)


def test_nothing_changed() -> None:
    assert words(signature(), "search", "", "") == "Action: search.\nNothing changed."
