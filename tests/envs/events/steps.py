"""Signatures and messages of steps, drawn at random or made by hand, and what the rules say."""

import re
from functools import cache

import numpy as np
from hypothesis import strategies as st
from nle import nethack

from envs.events import signature as layout
from envs.events import tables
from envs.events.judge_rules import RULES
from envs.events.landmarks import ANIMALS
from envs.game.glyphs import CARRIED, GROUNDS, THING, THINGS
from envs.subgoals import APPROACHES, KILLS
from envs.tasks import skills

MONSTERS = sorted({nethack.permonst(i).mname for i in range(nethack.NUMMONS)})
OBJECTS = ("apple", "dagger", "crude dagger", "robe", "dart", "iron skull cap", "iron wand",
           "skeleton key", "tiger eye ring", "scroll labeled FOO", "newt corpse", "amulet",
           "tooled horn", "food ration")  # fmt: skip
SENTENCES = ("The {m} bites!", "The {m} wields a {o}!", "The {m} picks up a {o}.", "It hits!",
             "You hear a door open.", "You kill the {m}!", "You miss the {m}.", "X - a {o}.",
             "X - N {o}s.", "You see here an uncursed {o}.", "X - a {o} (weapon in hand).",
             "You have a little trouble lifting X - a {o}.", "The {o} hits the {m}.",
             "There is a staircase up here.", "The boulder fills a pit.", "Delicious!",
             "The bolt of cold bounces!", "The feeling subsides.", "You are now wearing a robe.",
             "You rebalance your load.", "This scroll seems to be blank.", "You destroy the {m}!",
             "The {o} welds itself to your hand!", "Nothing happens.")  # fmt: skip


@cache
def _patterns(name: str) -> list[re.Pattern[str]]:
    rules = (*RULES.get(name, ()), *skills.RULES.get(name, ()))
    return [re.compile(rule, re.MULTILINE) for rule in rules]


def says(name: str, text: str) -> bool:
    """Whether the rules say that a step with this text achieved a subgoal."""
    return any(pattern.search(text) for pattern in _patterns(name))


@st.composite
def messages(draw: st.DrawFn) -> str:
    """Up to three sentences of the game."""
    sentences = draw(st.lists(st.sampled_from(SENTENCES), max_size=3))
    monster, thing = st.sampled_from(MONSTERS), st.sampled_from(OBJECTS)
    return " ".join(one.format(m=draw(monster), o=draw(thing)) for one in sentences)


@st.composite
def signatures(draw: st.DrawFn) -> np.ndarray:
    """A signature of a step that ended no game: some kinds came nearer, some flags are set."""
    row = np.zeros(layout.WIDTH, np.uint8)
    for kind in draw(st.sets(st.integers(1, len(THINGS) - 1), max_size=3)):
        levels = [tables.ABSENT, *np.unique(tables.LEVEL_OF_DISTANCE[kind]).tolist()]
        before, after = draw(st.sampled_from(levels)), draw(st.sampled_from(levels))
        row[kind] = tables.CHANGE_OF_LEVELS[8 * before + after]
    row[layout.FLAGS] = draw(st.integers(0, 255)) & ~layout.ASKED
    row[layout.GROUND_NOW] = draw(st.integers(0, len(GROUNDS) - 1))
    row[layout.END] = draw(st.sampled_from([layout.RUNNING, layout.OUT_OF_TIME, layout.ON_STAIRS]))
    for column in (layout.HP, layout.EXPERIENCE, layout.BURDEN, layout.ON_FOUNTAIN):
        row[column] = draw(st.integers(0, 1 if column == layout.ON_FOUNTAIN else 2))
    for columns in (layout.ENTERED, layout.LEFT):
        mask = sum(
            1 << kind for kind in draw(st.sets(st.integers(1, len(CARRIED) - 1), max_size=2))
        )
        row[columns] = mask & 255, mask >> 8
    return row


_MESSAGES = {
    "fill a pit with a boulder": "With great effort you move the boulder. The boulder fills a pit.",
    "kill a monster": "You kill it!",
    **{name: f"You kill the {kind}!" for name, kind in KILLS.items()},
    "step onto the apple": "There is a staircase up here. You see here N uncursed apples.",
    "pick up the robe": "You have a little trouble lifting X - a robe.",
    "pick up the dagger": "X - a dart. X - a +N dagger.",
    "eat the apple": "Core dumped.",
    "wear the robe": "You are now wearing a robe.",
    "wield the dagger": "X - a +N dagger (weapon in hand).",
    "zap the wand": "The feeling subsides.",
    "put on the amulet": "X - a circular amulet (being worn).",
    "read the scroll": "This scroll seems to be blank.",
    "bounce a bolt of cold off a wall": "The bolt of cold hits the newt. The bolt of cold bounces!",
}
_QUESTIONS = {
    "pray on the altar": "Are you sure you want to pray? [yn] (n)",
    "drink from the sink": "Drink from the sink? [yn] (n)",
}
_FLAGS = {
    "open the locked door": layout.OPENED,
    "open a door": layout.OPENED,
    "push a boulder": layout.PUSHED,
    "fill water or lava with a boulder": layout.PUSHED | layout.LAVA_FILLED,
    "push a boulder onto a fountain": layout.PUSHED,
    "fill a pit with a boulder": layout.PUSHED,
    "turn lava into solid ground": layout.LAVA_FILLED,
    "cross the water or lava": layout.MOVED | layout.CROSSED,
    "step onto the apple": layout.MOVED,
    "pray on the altar": layout.ASKED,
    "drink from the sink": layout.ASKED,
}
_ENTERED = {
    "pick up the key": "key",
    "pick up a wand": "wand",
    "pick up a horn": "horn",
    "pick up an object": "gem or stone",
    "pick up the robe": "piece of armor",
    "pick up the dagger": "weapon",
    "pick up the wand": "wand",
    "pick up the horn": "horn",
    "pick up the wand or the horn": "horn",
    "pick up the amulet": "amulet",
    "pick up the scroll": "scroll",
}
_ENDS = {
    "reach the staircase down": layout.ON_STAIRS,
    "pray on the altar": layout.OTHER_END,
    "drink from the sink": layout.OTHER_END,
}
_GROUNDS = {"step into a doorway": "doorway", "step into a corridor": "corridor",
            "step into a room": "room"}  # fmt: skip
_LANDMARKS = {
    "cross a strip of lava": (1, ()),
    "take the right one of two branches": (3, ("lichen",)),
    "take the right one of four branches": (6, ("blue jelly", "green mold")),
}
_ONTO = {"step onto the altar": "altar", "step onto the sink": "sink"}
_LEVELS = {None: tables.FAR, 8: tables.WITHIN_8, 4: tables.WITHIN_4, 2: tables.WITHIN_2,
           1: tables.NEXT_TO}  # fmt: skip


def achieved(name: str) -> tuple[np.ndarray, str, str]:
    """Signature, message and question of a step that achieves a subgoal."""
    row = np.zeros(layout.WIDTH, np.uint8)
    row[layout.FLAGS] = _FLAGS.get(name, 0)
    row[layout.END] = _ENDS.get(name, layout.RUNNING)
    if name in APPROACHES:
        approach = APPROACHES[name]
        before = tables.ABSENT if approach.steps is None else tables.FAR
        row[THING[approach.thing]] = 8 * before + _LEVELS[approach.steps]
        row[layout.FLAGS] = layout.MOVED | (layout.WITH_KEY if approach.carrying else 0)
    if name in _ENTERED:
        mask = 1 << CARRIED.index(_ENTERED[name])
        row[layout.ENTERED] = mask & 255, mask >> 8
    if name in _LANDMARKS:
        row[layout.LANDMARK], caged = _LANDMARKS[name]
        row[layout.CAGED] = sum(1 << ANIMALS.index(animal) for animal in caged)
    if name in _GROUNDS:
        row[layout.GROUND_NOW] = GROUNDS.index(_GROUNDS[name])
    if name in _ONTO:
        row[THING[_ONTO[name]]] = 8 * tables.NEXT_TO + tables.ON
        row[layout.FLAGS] = layout.MOVED
    row[layout.ON_FOUNTAIN] = name == "push a boulder onto a fountain"
    if name == "float in the air":
        row[layout.GAINED] = nethack.BL_MASK_LEV & 255, nethack.BL_MASK_LEV >> 8
    return row, _MESSAGES.get(name, ""), _QUESTIONS.get(name, "")
