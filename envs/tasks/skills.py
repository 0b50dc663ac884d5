"""Describes four of MiniHack's skill tasks (eat, wear, wield, zap), with the `rules` judge's rules.

They are small rooms with one thing in them. Their deeds are of another kind than those of the
navigation tasks, so judges are measured on them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.records import Subgoal, Task
from envs.game.actions import SKILLS as ACTIONS
from envs.game.actions import english

_LEGEND = """.  floor
@  the hero
%  food
[  armor
)  weapon
/  wand"""


@dataclass(frozen=True, slots=True)
class Skill:
    """A task of one thing and one deed."""

    task: Task
    """In words, with two subgoals: to get to the thing, and the deed."""
    thing: str
    """NetHack's name of the kind of object."""
    verb: str
    """English name of the action that does the deed."""
    taken: bool
    """Whether the thing must be in the inventory first."""


def _skill(id: str, thing: str, a_thing: str, verb: str, deed: str, taken: bool) -> Skill:
    """Returns a skill task; `a_thing` begins a sentence, `deed` defines the second subgoal."""
    get = (
        Subgoal(f"pick up the {thing}", f"{a_thing} enters the hero's inventory.")
        if taken
        else Subgoal(
            f"step onto the {thing}",
            f"The hero comes to stand where {a_thing.lower()} lies; before, it stood elsewhere.",
        )
    )
    return Skill(
        Task(
            id=f"MiniHack-{id}-v0",
            goal=f"{verb.capitalize()} the {thing} that lies in the room.",
            subgoals=(get, Subgoal(f"{verb} the {thing}", deed)),
            actions=tuple(english(a) for a in ACTIONS),
            legend=_LEGEND,
        ),
        thing,
        verb,
        taken,
    )


SKILLS: Mapping[str, Skill] = MappingProxyType(
    {
        s.task.id: s
        for s in (
            _skill("Eat", "apple", "An apple", "eat", "The hero finishes eating the apple.", False),
            _skill("Wear", "robe", "A robe", "wear", "The hero is now wearing the robe.", True),
            _skill("Wield", "dagger", "A dagger", "wield", "The hero now wields the dagger.", True),
            _skill("Zap", "wand", "A wand", "zap", "The wand's magic takes effect.", True),
        )
    }
)
"""The skill tasks by MiniHack's id."""


RULES: Mapping[str, tuple[str, ...]] = {
    "step onto the apple": (r"^The hero came onto an object\b",),
    "pick up the robe": (r"^A piece of armor entered the inventory\.$",),
    "pick up the dagger": (r"^A weapon entered the inventory\.$",),
    "pick up the wand": (r"^A wand entered the inventory\.$",),
    "eat the apple": (r"(?i)core dumped|delicious|rotten food|last bite of your meal",),
    "wear the robe": (r"You are now wearing a robe",),
    "wield the dagger": (r"dagger \(weapon in hand\)",),
    "zap the wand": (r"The feeling subsides",),
}
"""By subgoal, the patterns of the `rules` judge; a table of the entry-point group `calm.rules`."""


def glyphs_of(thing: str) -> npt.NDArray[np.int64]:
    """Returns the glyphs of objects by name, int64; "wand" is any wand, as none is identified.

    Args:
        thing: NetHack's name of a kind of object.
    """
    glyphs = []
    for kind in range(nethack.NUM_OBJECTS):
        known = nethack.objclass(kind)
        wand = thing == "wand" and ord(known.oc_class) == nethack.WAND_CLASS
        if wand or nethack.objdescr.from_idx(kind).oc_name == thing:
            glyphs.append(nethack.GLYPH_OBJ_OFF + kind)
    return np.array(glyphs)
