"""Lists the rules of the `rules` judge: by subgoal, regular expressions over a transition's text.

Where one of `RULES[subgoal]` matches the text (`re.search` with `re.MULTILINE`), the step achieved
the subgoal. They are written for `events` texts. Of `screen` and `crop` texts they understand what
is put into words there too: the inventory and the end of the episode; what the maps alone show they
miss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from envs.events import tables
from envs.events.landmarks import ORDINALS
from envs.events.words import NEARNESS, came, named
from envs.subgoals import APPROACHES, KILLS, Approach

_LIMITS = {
    None: tables.FAR,
    8: tables.WITHIN_8,
    4: tables.WITHIN_4,
    2: tables.WITHIN_2,
    1: tables.NEXT_TO,
}
"""By distance of an approach, the farthest level of nearness that counts."""

_NEAREST = tables.ON
"""The nearest level that words name."""


def _either(choices: list[str]) -> str:
    """Returns a pattern that matches any of some texts."""
    return f"(?:{'|'.join(map(re.escape, choices))})"


def _approach(approach: Approach) -> tuple[str, ...]:
    """Returns the patterns of the sentences that describe an approach."""
    least = _LIMITS[approach.steps]
    thing = re.escape(named(approach.thing))
    subject = re.escape(named(approach.thing, first=True))
    near = _either([NEARNESS[n] for n in range(least, _NEAREST + 1)])
    lines = [rf"^{subject} came into view, {near}\.$"]
    if least > tables.FAR:
        coming = _either([came(n) for n in range(least, _NEAREST + 1)])
        coarse = [] if tables.is_fine(approach.thing) else ["in view, farther away"]
        farther = _either([*(NEARNESS[n] for n in range(tables.FAR, least)), *coarse])
        lines.append(rf"^The hero came {coming} {thing} \(before: {farther}\)\.$")
        lines.append(rf"^{subject} is {near} now \(before: {farther}\)\.$")
    if approach.carrying is None:
        return tuple(lines)
    held = re.escape(named(approach.carrying))
    taken = re.escape(named(approach.carrying, first=True))
    return (
        *(rf"^The hero carries {held}\.\n[\s\S]*{line}" for line in lines),
        rf"^{taken} entered the inventory\.\n[\s\S]*^{subject} is {near}\.$",
    )


def _branches(count: int, *caged: str) -> tuple[str, ...]:
    """Returns the patterns of taking the branch that what is caged names, the first one first."""
    return tuple(
        rf"^The hero took the {which} of {count} branches\b.* Caged at the start: {animals}\.$"
        for which, animals in zip(ORDINALS, caged, strict=False)
    )


_DEEDS = {
    "pick up the key": (r"^The key entered the inventory[.:]",),
    "open the locked door": (r"^A closed door is open now\.$",),
    "open a door": (r"^A closed door is open now\.$",),
    "reach the staircase down": (
        r"^The episode ended: the hero reached the staircase down\b",
        # Something lies on it, which the map shows in its place.
        r'^Message: ".*\bThere is a staircase down here\.[\s\S]*^The hero moved\.$[\s\S]*'
        r"^The episode ended\.$",
    ),
    "step into a doorway": (r"^The hero stepped into a doorway\.$",),
    "step into a corridor": (r"^The hero stepped into a corridor\.$",),
    "step into a room": (r"^The hero stepped into a room\.$",),
    "push a boulder": (r"^The hero pushed a boulder\.$",),
    "fill water or lava with a boulder": (
        r"^The hero pushed a boulder\.\n(?:Water|Lava) turned into solid ground\.$",
    ),
    "push a boulder onto a fountain": (r"^The boulder came onto a fountain\.$",),
    "fill a pit with a boulder": (
        r'^Message: ".*\b[Bb]oulder (?:[a-z ]+ and )?(?:fills|plugs) a (?:pit|hole)\b[\s\S]*'
        r"^The hero pushed a boulder\.$",
    ),
    "pick up a wand": (r"^A wand entered the inventory[.:]",),
    "pick up a horn": (r"^A horn entered the inventory[.:]",),
    "pick up an object": (r"^[A-Z][\w ]* entered the inventory[.:]",),
    "turn lava into solid ground": (r"^Lava turned into solid ground\.$",),
    "cross the water or lava": (r"^The hero came to the other side of the water or lava\.$",),
    "float in the air": (r"^The hero is now levitating\.$",),
    "kill a monster": (r"^Experience points rose\.$", r'^Message: ".*\bYou kill '),
    **{
        name: (
            rf'^Message: ".*\bYou kill the {kind}\b',
            # Texts that quote the last message alone may not have it: a kill that names no other.
            r'\A(?![\s\S]*^Message: ".*\bYou (?:kill|destroy|dissolve) )[\s\S]*'
            r"^Experience points rose\.$",
        )
        for name, kind in KILLS.items()
    },
    "cross a strip of lava": (r"^The hero crossed a strip of lava\.$",),
    "take the right one of two branches": _branches(2, "a blue jelly", "a lichen"),
    "take the right one of four branches": _branches(
        4,
        "a blue jelly and a red mold",
        "a spotted jelly and a red mold",
        "a blue jelly and a green mold",
        "a spotted jelly and a green mold",
    ),
}

RULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**{name: _approach(a) for name, a in APPROACHES.items()}, **_DEEDS}
)
"""By subgoal name, for every given subgoal."""
