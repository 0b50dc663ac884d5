"""The given subgoals by name: what tasks list, truth computes and rules look for.

A name means the same in every task, so truth and rules are tables by name. Distances are moves of
the hero with nothing in the way (Chebyshev: a diagonal move counts one).
"""

from __future__ import annotations

from typing import NamedTuple

from calm.records import Subgoal

STEPS = (8, 4, 2, 1)
"""The distances that descriptions tell apart: within 8, 4 and 2 moves, and next to."""


class Approach(NamedTuple):
    """Coming within so many moves of the nearest thing of a kind, maybe while carrying another."""

    thing: str
    """A kind of `envs.game.glyphs`, e.g. "key"."""
    steps: int | None
    """One of `STEPS`, or None: it comes into view."""
    carrying: str | None = None
    """A kind of object that must be in the inventory."""


THE = {
    "key": "the key",
    "closed door": "the locked door",
    "staircase down": "the staircase down",
    "boulder": "a boulder",
    "lava": "the lava",
    "monster": "a monster",
}
"""How subgoals name the things they speak of."""

_IN_DESCRIPTIONS = {**THE, "closed door": "a closed door", "lava": "lava"}
"""How descriptions name them."""

_IN_DEFINITIONS = {**THE, "closed door": "the locked door (seen as a closed door)"}


def _approach(what: Approach) -> Subgoal:
    """Returns the subgoal of an approach: its name, its definition, its clauses."""
    thing, defined = THE[what.thing], _IN_DEFINITIONS[what.thing]
    with_it = f" with the {what.carrying}" if what.carrying else ""
    if what.steps is None:
        name, after, before = f"find {thing}{with_it}", "is in view", "it was not in view"
    elif what.steps == 1:
        name, after = f"stand next to {thing}{with_it}", "is next to the hero, 1 step away"
        before = "it was farther away or not in view"
    else:
        name = f"come within {what.steps} steps of {thing}{with_it}"
        after = f"is within {what.steps} steps of the hero"
        before = "it was farther away or not in view"
    if what.carrying:
        after += f", and the hero carries the {what.carrying}"
        before = "one of the two was not so"
    definition = f"After the step {defined} {after}; before the step {before}."
    return Subgoal(name, definition, _statements(what))


def _statements(what: Approach) -> tuple[str, ...]:
    """Returns an approach in clauses that agree with all that `envs.events.words` writes of it.

    What has come near is near "now", whether the hero came, the thing came into view, or the key
    was taken beside the door.
    """
    described = _IN_DESCRIPTIONS[what.thing]
    now = f"{described} is now within {what.steps} steps"
    if what.steps is None:
        now = f"{described} came into view"
    elif what.steps == 1:
        now = f"the hero and {described} are now next to each other"
    return (f"the hero carries the {what.carrying}", now) if what.carrying else (now,)


def _with_steps(thing: str, carrying: str | None = None) -> list[Approach]:
    """Returns the approaches to a kind of thing: into view, then to each distance of `STEPS`."""
    return [Approach(thing, steps, carrying) for steps in (None, *STEPS)]


_APPROACHES = [
    *(a for thing in THE if thing != "monster" for a in _with_steps(thing)),
    Approach("monster", 1),  # descriptions tell no other distance of monsters
    *_with_steps("closed door", "key"),
]

APPROACHES: dict[str, Approach] = {_approach(a).name: a for a in _APPROACHES}
"""Every subgoal of getting somewhere, by name."""

KILLS = {
    "kill a giant rat": "giant rat",
    "kill the grid bug": "grid bug",
    "kill the minotaur": "minotaur",
}
"""By subgoal of killing a monster that it names, NetHack's name of that monster."""

DEEDS: dict[str, str] = {
    "pick up the key": "The key enters the hero's inventory.",
    "open the locked door": "A door that was closed is open or gone after the step.",
    "open a door": "A door that was closed is open or gone after the step.",
    "reach the staircase down": (
        "The hero stands on the staircase down, which ends the episode with success."
    ),
    "step into a doorway": "The hero comes from another kind of ground to stand in a doorway.",
    "step into a corridor": "The hero comes from another kind of ground to stand in a corridor.",
    "step into a room": "The hero comes from a doorway or a corridor to stand on a room's floor.",
    "push a boulder": "The hero pushes a boulder out of its place.",
    "fill water or lava with a boulder": (
        "A boulder goes into water or lava and fills it, so that the hero can walk there."
    ),
    "push a boulder onto a fountain": "A boulder that the hero pushes comes onto a fountain.",
    "fill a pit with a boulder": (
        "A boulder that the hero pushes falls into a pit or a hole and fills it."
    ),
    "pick up a wand": "A wand enters the hero's inventory.",
    "pick up a horn": "A horn enters the hero's inventory.",
    "pick up an object": "An object of any kind enters the hero's inventory.",
    "turn lava into solid ground": "A place that was lava is solid ground after the step.",
    "cross the water or lava": (
        "The hero comes from over water or lava, or from a place of it that was filled or frozen,"
        " onto the ground of the other side."
    ),
    "float in the air": "The hero begins to levitate.",
    "kill a monster": "The hero kills a monster.",
    **{name: f"The hero {name.replace('kill', 'kills', 1)}." for name in KILLS},
    "cross a strip of lava": (
        "The hero comes past a straight strip of lava through its gap, one strip more than before"
        " in this episode."
    ),
    "take the right one of two branches": (
        "The hero takes, counted from the north, the first of 2 branches where a blue jelly is"
        " caged at the start, the second of 2 where a lichen is."
    ),
    "take the right one of four branches": (
        "The hero takes, counted from the north, the first of 4 branches where a blue jelly and a"
        " red mold are caged at the start, the second where a spotted jelly and a red mold are, the"
        " third where a blue jelly and a green mold are, the fourth where a spotted jelly and a"
        " green mold are."
    ),
}
"""Every other subgoal: name to definition."""

STATEMENTS: dict[str, tuple[str, ...]] = {
    "pick up the key": ("the key entered the inventory",),
    "open the locked door": ("a closed door is open now",),
    "open a door": ("a closed door is open now",),
    "reach the staircase down": ("the hero reached the staircase down",),
    "step into a doorway": ("the hero stepped into a doorway",),
    "step into a corridor": ("the hero stepped into a corridor",),
    "step into a room": ("the hero stepped into a room",),
    "push a boulder": ("the hero pushed a boulder",),
    "fill water or lava with a boulder": ("water or lava turned into solid ground",),
    "push a boulder onto a fountain": ("the boulder came onto a fountain",),
    "fill a pit with a boulder": ("the hero pushed a boulder", "the boulder filled a pit"),
    "pick up a wand": ("a wand entered the inventory",),
    "pick up a horn": ("a horn entered the inventory",),
    "pick up an object": ("an object entered the inventory",),
    "turn lava into solid ground": ("lava turned into solid ground",),
    "cross the water or lava": ("the hero came to the other side of the water or lava",),
    "float in the air": ("the hero is now levitating",),
    "kill a monster": ("the hero killed a monster",),
    **{name: (f"the hero killed the {kind}",) for name, kind in KILLS.items()},
    "cross a strip of lava": ("the hero crossed a strip of lava",),
    "take the right one of two branches": (
        "the hero took the first branch where a blue jelly is caged or the second where a lichen"
        " is",
    ),
    "take the right one of four branches": (
        "the hero took branch 1 where blue and red are caged or 2 where spotted and red are or 3"
        " where blue and green are or 4 where spotted and green are",
    ),
}
"""By name of each of these, the clauses that describe a step that achieves it, as descriptions word
them."""

SUBGOALS: dict[str, Subgoal] = {
    **{s.name: s for s in map(_approach, _APPROACHES)},
    **{name: Subgoal(name, definition, STATEMENTS[name]) for name, definition in DEEDS.items()},
}
"""Every given subgoal by name."""
