"""Describes the tasks whose deed MiniHack itself sees and pays for, with the `rules` judge's rules.

They are small rooms with one thing in them to get to and one deed to do with it: eat, wear, wield,
put on, read, zap, pray, drink, freeze. `-Fixed` has the thing in a corner, `-Distr` adds a monster
and another object. In the mazes of ExploreMaze the deed, to eat an apple, can be done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.records import Subgoal, Task
from envs.game import actions, glyphs
from envs.game.actions import english
from envs.subgoals import SUBGOALS

_LEGEND = """.  floor
@  the hero
%  food
[  armor
)  weapon
/  wand"""
"""The legend of the tasks that the labelled sets hold, which ask with it."""
_SYMBOLS = """.  floor
@  the hero
"  amulet
?  scroll
/  wand
(  horn
_  altar
#  sink"""
_MAZE_SYMBOLS = """.  floor
|  wall
-  wall
@  the hero
<  staircase up
>  staircase down
%  food"""


@dataclass(frozen=True, slots=True)
class Skill:
    """A task of one thing and one deed."""

    task: Task
    """In words. Its first two subgoals are to get to the thing, and the deed; if there are more,
    they are those of `envs.subgoals`."""
    thing: str
    """What `glyphs_of` knows: an object, or a place such as an altar."""
    verb: str
    """English name of the action that does the deed."""
    taken: bool
    """Whether the thing must be in the inventory first."""
    ends: bool = True
    """Whether the deed ends the episode; if not, MiniHack pays for it each time."""


def _pick_up(thing: str, a_thing: str, described: str = "") -> Subgoal:
    """Returns the subgoal of having a thing.

    Args:
        thing: after "the".
        a_thing: at the beginning of a sentence.
        described: what descriptions call it there, if anything else.
    """
    what = described or a_thing[0].lower() + a_thing[1:]
    return Subgoal(
        f"pick up the {thing}",
        f"{a_thing} enters the hero's inventory.",
        (f"{what} entered the inventory",),
    )


def _step_onto(thing: str, where: str, statement: str) -> Subgoal:
    """Returns the subgoal of standing on a thing.

    Args:
        thing: after "the".
        where: after "to stand".
        statement: that the hero has come there, as descriptions word it.
    """
    return Subgoal(
        f"step onto the {thing}",
        f"The hero comes to stand {where}; before, it stood elsewhere.",
        (statement,),
    )


_ALL = actions.SKILLS
_APPLE = _step_onto("apple", "where an apple lies", "an apple lies where the hero is")
_EAT = Subgoal(
    "eat the apple", "The hero finishes eating the apple.", ("the hero has eaten an apple",)
)
BOLT = Subgoal(
    "bounce a bolt of cold off a wall",
    "A bolt of cold that the hero has let loose flies and bounces off a wall.",
    ("the bolt of cold bounces",),
)


def _room(
    ids: Sequence[str],
    goal: str,
    subgoals: tuple[Subgoal, Subgoal],
    thing: str,
    verb: str,
    legend: str = _SYMBOLS,
    extra: tuple[nethack.Command, ...] | None = None,
) -> list[Skill]:
    """Returns the tasks of one goal; their actions are all, or the moves and `extra`."""
    names = tuple(english(a) for a in (_ALL if extra is None else (*actions.MOVES, *extra)))
    return [
        Skill(
            Task(f"MiniHack-{id}-v0", goal, subgoals, names, legend),
            thing,
            verb,
            taken=subgoals[0].name.startswith("pick up"),
        )
        for id in ids
    ]


def _kinds(id: str) -> tuple[str, ...]:
    """Returns the ids of a skill in its three kinds of room."""
    return (id, f"{id}-Fixed", f"{id}-Distr")


_C = nethack.Command
_FREEZE = (
    # id, thing, its subgoal, where it is, actions beside the moves
    ("Wand", "wand", _pick_up("wand", "A wand"), (_C.PICKUP, _C.ZAP, _C.FIRE)),
    ("Horn", "horn", _pick_up("horn", "A horn"), (_C.PICKUP, _C.APPLY, _C.FIRE)),
    (
        "Random",
        "wand or horn",
        _pick_up("wand or the horn", "A wand or a horn"),
        (_C.PICKUP, _C.ZAP, _C.APPLY, _C.FIRE),
    ),
)

_ROOMS = (
    *_room(
        _kinds("Eat"),
        "Eat the apple that lies in the room.",
        (_APPLE, _EAT),
        "apple",
        "eat",
        _LEGEND,
    ),
    *_room(
        _kinds("Wear"),
        "Wear the robe that lies in the room.",
        (
            _pick_up("robe", "A robe", "a piece of armor"),
            Subgoal(
                "wear the robe",
                "The hero is now wearing the robe.",
                ("the hero is now wearing a robe",),
            ),
        ),
        "robe",
        "wear",
        _LEGEND,
    ),
    *_room(
        _kinds("Wield"),
        "Wield the dagger that lies in the room.",
        (
            _pick_up("dagger", "A dagger", "a weapon"),
            Subgoal(
                "wield the dagger",
                "The hero now wields the dagger.",
                ("the dagger is the weapon in hand",),
            ),
        ),
        "dagger",
        "wield",
        _LEGEND,
    ),
    *_room(
        _kinds("Zap"),
        "Zap the wand that lies in the room.",
        (
            _pick_up("wand", "A wand"),
            Subgoal("zap the wand", "The wand's magic takes effect.", ("the feeling subsides",)),
        ),
        "wand",
        "zap",
        _LEGEND,
    ),
    *_room(
        _kinds("PutOn"),
        "Put on the amulet that lies in the room.",
        (
            _pick_up("amulet", "An amulet"),
            Subgoal(
                "put on the amulet",
                "The hero is now wearing the amulet.",
                ("the amulet is being worn",),
            ),
        ),
        "amulet",
        "put on",
    ),
    *_room(
        _kinds("Read"),
        "Read the scroll that lies in the room.",
        (
            _pick_up("scroll", "A scroll"),
            Subgoal(
                "read the scroll",
                "The hero has read the scroll and finds it blank.",
                ("the scroll seems to be blank",),
            ),
        ),
        "scroll",
        "read",
    ),
    *_room(
        _kinds("Pray"),
        "Pray on the altar that stands in the room.",
        (
            _step_onto("altar", "on an altar", "the hero came onto an altar"),
            Subgoal(
                "pray on the altar",
                "The hero prays while it stands on the altar.",
                ("the hero answered whether to pray", "the episode ended"),
            ),
        ),
        "altar",
        "pray",
    ),
    *_room(
        _kinds("Sink"),
        "Drink from the sink that stands in the room.",
        (
            _step_onto("sink", "on a sink", "the hero came onto a sink"),
            Subgoal(
                "drink from the sink",
                "The hero drinks from the sink on which it stands.",
                ("the hero answered whether to drink from the sink", "the episode ended"),
            ),
        ),
        "sink",
        "quaff",
    ),
    *(
        skill
        for id, thing, get, extra in _FREEZE
        for kind in ("Full", "Restricted")
        for skill in _room(
            [f"Freeze-{id}-{kind}"],
            f"Let loose a bolt of cold that bounces off a wall, with the {thing} that lies in the"
            " room.",
            (get, BOLT),
            thing,
            "apply" if thing == "horn" else "zap",
            extra=None if kind == "Full" else extra,
        )
    ),
)

SKILLS: Mapping[str, Skill] = MappingProxyType({s.task.id: s for s in _ROOMS})
"""The rooms by MiniHack's id."""

_MAZE = (
    _APPLE,
    replace(_EAT, times=4),
    SUBGOALS["find the staircase down"],
    SUBGOALS["stand next to the staircase down"],
    SUBGOALS["reach the staircase down"],
)
MAZES: Mapping[str, Skill] = MappingProxyType(
    {
        id: Skill(
            Task(
                id,
                "Eat the apples of the maze, then reach the staircase down (`>`), which ends the"
                " episode.",
                _MAZE,
                tuple(english(a) for a in (*actions.CORRIDOR, _C.EAT)),
                _MAZE_SYMBOLS,
            ),
            "apple",
            "eat",
            taken=False,
            ends=False,
        )
        for size in ("Easy", "Hard")
        for id in (f"MiniHack-ExploreMaze-{size}-v0", f"MiniHack-ExploreMaze-{size}-Mapped-v0")
    }
)
"""The mazes by MiniHack's id."""

BY_ID: Mapping[str, Skill] = MappingProxyType({**SKILLS, **MAZES})
"""All of them."""


def _unless_named(line: str, start: str, noun: str) -> str:
    """Returns a pattern of a line, of texts whose message does not name another thing instead.

    Args:
        line: a pattern.
        start: of the sentences of a message that name such things.
        noun: of the thing, a pattern.
    """
    named, ours = rf'[^"\n]*{start}', rf'[^"\n]*{start}[^".!?\n]*\b{noun}\b'
    return rf'\A(?![\s\S]*^Message: "(?={named})(?!{ours}))[\s\S]*^{line}$'


RULES: Mapping[str, tuple[str, ...]] = {
    "step onto the apple": (
        r'^Message: "(?:[^"\n]*[.!?] )?You see here [^".!?\n]*\bapples?\b[\s\S]*^The hero moved\.$',
        _unless_named("The hero came onto an object .*", "You see here ", "apples?"),
    ),
    "step onto the altar": (r"^The hero came onto an altar\b",),
    "step onto the sink": (r"^The hero came onto a sink\b",),
    "pick up the robe": (
        _unless_named(r"A piece of armor entered the inventory\.", "X - ", "robe"),
    ),
    "pick up the dagger": (_unless_named(r"A weapon entered the inventory\.", "X - ", "daggers?"),),
    "pick up the wand": (r"^A wand entered the inventory\.$",),
    "pick up the horn": (r"^A horn entered the inventory\.$",),
    "pick up the wand or the horn": (r"^A (?:wand|horn) entered the inventory\.$",),
    "pick up the amulet": (r"^An amulet entered the inventory\.$",),
    "pick up the scroll": (r"^A scroll entered the inventory\.$",),
    "eat the apple": (r"(?i)core dumped|delicious|rotten food|last bite of your meal",),
    "wear the robe": (r"You are now wearing a robe",),
    "wield the dagger": (r"dagger \(weapon in hand\)", r"dagger welds itself to your hand"),
    "zap the wand": (r"The feeling subsides",),
    "put on the amulet": (r"amulet \(being worn\)",),
    "read the scroll": (r"This scroll seems to be blank",),
    "pray on the altar": (
        r'answering "Are you sure you want to pray\?[\s\S]*^The episode ended\.$',
    ),
    "drink from the sink": (r'answering "Drink from the sink\?[\s\S]*^The episode ended\.$',),
    "bounce a bolt of cold off a wall": (r"The bolt of cold bounces!",),
}
"""By subgoal, the patterns of the `rules` judge; a table of the entry-point group `calm.rules`."""

_CLASSES = {
    "wand": glyphs.WANDS,
    "horn": glyphs.HORNS,
    "wand or horn": (*glyphs.WANDS, *glyphs.HORNS),
    "amulet": glyphs.of_class(nethack.AMULET_CLASS),
    "scroll": glyphs.of_class(nethack.SCROLL_CLASS),
    "altar": (glyphs.ALTAR,),
    "sink": (glyphs.SINK,),
}


def glyphs_of(thing: str) -> npt.NDArray[np.int64]:
    """Returns the glyphs of a thing, int64.

    "wand" is any wand, as none is identified, and so are "horn", "amulet" and "scroll" any.

    Args:
        thing: NetHack's name of a kind of object, one of these four, "wand or horn", "altar" or
            "sink".
    """
    if thing in _CLASSES:
        return np.array(_CLASSES[thing], np.int64)
    return np.array(
        [
            nethack.GLYPH_OBJ_OFF + kind
            for kind in range(nethack.NUM_OBJECTS)
            if nethack.objdescr.from_idx(kind).oc_name == thing
        ],
        np.int64,
    )
