"""Puts a step's signature into words: the `events` description, in sentences of a fixed order.

It holds the kind of action, the message, what entered or left the inventory, what opened, filled
or was pushed, how near the hero has come to notable things, what ground it steps on, changes of
status, and how the episode ended. Never where: no position, no direction (but for which branch of
Memento's corridor, see `envs.events.landmarks`), and no letter of the inventory. So few different
texts arise (hundreds in a million steps of KeyRoom), each judged once.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import UsageError
from envs.events import signature as layout
from envs.events import tables
from envs.events.essentials import action_essentials, kind_essentials, message_essentials
from envs.events.landmarks import landmark_words
from envs.game.glyphs import CARRIED, GROUNDS, THINGS

_ARTICLE = {
    "key": "the key",
    "staircase down": "the staircase down",
    "staircase up": "the staircase up",
    "lava": "lava",
    "water": "water",
    "object": "an object",
    "coins": "coins",
}

NEARNESS = {
    tables.FAR: "more than 8 steps away",
    tables.WITHIN_8: "within 8 steps",
    tables.WITHIN_4: "within 4 steps",
    tables.WITHIN_2: "within 2 steps",
    tables.NEXT_TO: "next to the hero",
    tables.ON: "under the hero",
}
"""Words for the levels of nearness. Kinds described coarsely are only "in view" when far."""

_CAME = {
    tables.WITHIN_8: "within 8 steps of",
    tables.WITHIN_4: "within 4 steps of",
    tables.WITHIN_2: "within 2 steps of",
    tables.NEXT_TO: "next to",
    tables.ON: "onto",
}

_HUNGER = ("satiated", "not hungry", "hungry", "weak from hunger", "fainting", "fainted", "starved")
_BURDEN = ("unburdened", "burdened", "stressed", "strained", "overtaxed", "overloaded")
_CONDITIONS = {
    nethack.BL_MASK_STONE: "turning to stone",
    nethack.BL_MASK_SLIME: "turning into slime",
    nethack.BL_MASK_STRNGL: "being strangled",
    nethack.BL_MASK_FOODPOIS: "food-poisoned",
    nethack.BL_MASK_TERMILL: "terminally ill",
    nethack.BL_MASK_BLIND: "blind",
    nethack.BL_MASK_DEAF: "deaf",
    nethack.BL_MASK_STUN: "stunned",
    nethack.BL_MASK_CONF: "confused",
    nethack.BL_MASK_HALLU: "hallucinating",
    nethack.BL_MASK_LEV: "levitating",
    nethack.BL_MASK_FLY: "flying",
    nethack.BL_MASK_RIDE: "riding",
}
_CHANGES = (
    (layout.HP, "Hit points fell.", "Hit points rose."),
    (layout.GOLD, "Gold fell.", "Gold rose."),
    (layout.EXPERIENCE, "Experience points fell.", "Experience points rose."),
    (layout.LEVEL, "The experience level fell.", "The experience level rose."),
    (layout.ARMOR, "Armor class got better.", "Armor class got worse."),
    (layout.DEPTH, "The hero is on a higher level.", "The hero is on a deeper level."),
)
_ENDS = {
    layout.ON_STAIRS: "The episode ended: the hero reached the staircase down, the goal.",
    layout.DIED: "The episode ended: the hero died.",
    layout.OUT_OF_TIME: "The episode ended: time ran out.",
    layout.OTHER_END: "The episode ended.",
}


PRINTABLE = bytes(code if 32 <= code < 127 else 32 for code in range(256))
"""A table for `bytes.translate`: printable ASCII stays, every other byte becomes a blank."""


def clean(message: npt.NDArray[Any] | bytes) -> str:
    """Returns a message as plain text: up to the first NUL, printable ASCII, single spaces."""
    raw = bytes(message).split(b"\0", 1)[0]
    return " ".join(raw.translate(PRINTABLE).decode("ascii").split())


_NUMBERS = re.compile(r"\d+")
_LETTERS = re.compile(r"\[(?:[^\]]+ or \?\*|[^\]]*[A-Za-z]-[A-Za-z][^\]]*)\]")
"""Inventory letters to choose from, "[$a-hKQ or ?*]" or "[bcf-zA-Z]", but no "[ynq]" or "[*]"."""
_LETTER = re.compile(r"(?<!\S)[A-Za-z] - (?=\S)")
"""The inventory letter before an object's name: "g - a key"."""


def quote(message: npt.NDArray[Any] | bytes) -> str:
    """Returns a message in one line, the same for events that are the same.

    Numbers (3 daggers or 4, +0 or +1) become "N", and letters of the inventory "X".
    """
    text = _NUMBERS.sub("N", clean(message))
    text = _LETTERS.sub(lambda m: "[X or ?*]" if m[0].endswith(" or ?*]") else "[X]", text)
    return _LETTER.sub("X - ", text).replace('"', "'")


def named(kind: str, *, first: bool = False) -> str:
    """Returns a kind of thing with its article: "the key"; `first` in a sentence, "The key"."""
    name = _ARTICLE.get(kind) or f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    return name[0].upper() + name[1:] if first else name


def came(level: int) -> str:
    """Returns how near the hero came, by level, in words: "within 4 steps of", "next to"."""
    return _CAME[level]


def _nearness(kind: int, code: int, moved: bool) -> str:
    """Returns the sentence about one kind of thing.

    Args:
        kind: its number in `THINGS`.
        code: of the change, as in `envs.events.tables.CHANGE_OF_LEVELS`.
        moved: whether the hero did; if not, the sentence is about the thing.
    """
    name = THINGS[kind]
    thing, subject = named(name), named(name, first=True)
    if code == tables.AWAY:
        return f"The hero went away from {thing}." if moved else f"{subject} is farther away now."
    if code == tables.LOST:
        return f"{subject} went out of view." if moved else f"{subject} is gone from view now."
    if code >= tables.STATE:
        return f"{subject} is {NEARNESS[code - tables.STATE]}."
    before, after = divmod(code, 8)
    fine = tables.is_fine(name)
    if before == tables.ABSENT:
        where = NEARNESS[after] if fine or after != tables.FAR else ""
        return f"{subject} came into view" + (f", {where}." if where else ".")
    was = NEARNESS[before] if fine or before != tables.FAR else "in view, farther away"
    if not moved:
        return f"{subject} is {NEARNESS[after]} now (before: {was})."
    return f"The hero came {_CAME[after]} {thing} (before: {was})."


def _mask(low_high: npt.NDArray[np.uint8]) -> int:
    """Returns the number of two bytes, the low one first."""
    return int(low_high[0]) + 256 * int(low_high[1])


def _conditions(low_high: npt.NDArray[np.uint8]) -> list[str]:
    """Returns the names of the conditions whose bits are set in two bytes."""
    mask = _mask(low_high)
    return [name for bit, name in _CONDITIONS.items() if mask & bit]


def _carried(low_high: npt.NDArray[np.uint8]) -> list[str]:
    """Returns the kinds of `CARRIED` whose bits are set in two bytes."""
    mask = _mask(low_high)
    return [kind for number, kind in enumerate(CARRIED) if mask >> number & 1]


VERSIONS = (1, 2, 3)
"""Versions of the `events` text, the later ones fewer.

The first names the action on the key that answers a question of the game: "Action: fire, answering
...", for the key f. The second says "Action: a key, answering ...", since what the key did shows in
what came of it: a task that has every key of the game as an action then has far fewer texts. The
third leaves out too what no given subgoal asks about: what went away or out of view, where an open
door or the staircase up came into view, that the hero carries the key where no door has come
nearer, lost hit points, the load, that time ran out, and what `envs.events.essentials` says. And it
hears all that the game says in a step (`envs.game.messages`), where the others quote the last of
it.
"""
HEARS_ALL = 3
"""The first version that does."""


def check_version(version: int) -> None:
    """Raises UsageError where `version` is none of `VERSIONS`."""
    if version not in VERSIONS:
        versions = ", ".join(map(str, VERSIONS))
        raise UsageError(f"descriptions come in versions {versions}; got {version!r}")


def words(
    signature: npt.NDArray[np.uint8],
    action: str,
    message: str,
    question: str,
    version: int = 1,
) -> str:
    """Returns the `events` text of one signature of `Sight`.

    Args:
        signature: (WIDTH,) uint8.
        action: kind of the action, "move".
        message: the game's after the step, as `quote` returns it; "" for none.
        question: the game's before the step, likewise.
        version: one of `VERSIONS`.
    """
    entered, left = (_carried(signature[columns]) for columns in (layout.ENTERED, layout.LEFT))
    nothing = "Nothing changed."
    if version >= 3:
        signature = layout.without_asides(signature)
        entered, left = (
            list(dict.fromkeys(kind_essentials(kind, message) for kind in kinds))
            for kinds in (entered, left)
        )
        action, question = action_essentials(action, message), message_essentials(question)
        # Nothing that a dying hero did is told, since the game's state does not show it either.
        died = signature[layout.END] == layout.DIED
        message, nothing = "" if died else message_essentials(message), "Nothing of note changed."
    flags = int(signature[layout.FLAGS])
    head = [f"Action: {action}."]
    if flags & layout.ASKED:
        head[0] = f'Action: {action if version == 1 else "a key"}, answering "{question}"'
    if flags & layout.WITH_KEY:
        head.append("The hero carries the key.")
    if message:
        head.append(f'Message: "{message}"')
    lines = [f"{named(kind, first=True)} entered the inventory." for kind in entered]
    lines += [f"{named(kind, first=True)} left the inventory." for kind in left]
    lines += _deeds(signature, action.startswith("move"))
    lines += _status(signature)
    if signature[layout.END]:
        lines.append(_ENDS[int(signature[layout.END])])
    return "\n".join([*head, *(lines or [nothing])])


def _deeds(signature: npt.NDArray[np.uint8], moves: bool) -> list[str]:
    """Returns the sentences on what was done to the level, where the hero went, and what is near.

    Args:
        signature: (WIDTH,) uint8.
        moves: whether the action is to move.
    """
    flags = int(signature[layout.FLAGS])
    lines = [
        text
        for bit, text in (
            (layout.OPENED, "A closed door is open now."),
            (layout.PUSHED, "The hero pushed a boulder."),
            (layout.WATER_FILLED, "Water turned into solid ground."),
            (layout.LAVA_FILLED, "Lava turned into solid ground."),
        )
        if flags & bit
    ]
    if signature[layout.ON_FOUNTAIN]:
        lines.append("The boulder came onto a fountain.")
    moved = bool(flags & layout.MOVED)
    if moved:
        lines.append("The hero moved.")
    elif moves and not flags & layout.ASKED and signature[layout.END] != layout.DIED:
        lines.append("The hero did not move.")
    if flags & layout.CROSSED:
        lines.append("The hero came to the other side of the water or lava.")
    lines += landmark_words(signature)
    ground = int(signature[layout.GROUND_NOW])
    if ground:
        lines.append(f"The hero stepped into a {GROUNDS[ground]}.")
    codes = signature[layout.KINDS].tolist()
    return lines + [_nearness(kind, code, moved) for kind, code in enumerate(codes, 1) if code]


def _status(signature: npt.NDArray[np.uint8]) -> list[str]:
    """Returns the sentences on what changed of the hero in a signature (WIDTH,)."""
    lines = [
        fell if signature[column] == 1 else rose
        for column, fell, rose in _CHANGES
        if signature[column]
    ]
    for column, states in ((layout.HUNGER, _HUNGER), (layout.BURDEN, _BURDEN)):
        if signature[column]:
            state = int(signature[column]) - 1
            lines.append(f"The hero is now {states[min(state, len(states) - 1)]}.")
    lines += [f"The hero is now {name}." for name in _conditions(signature[layout.GAINED])]
    lines += [f"The hero is no longer {name}." for name in _conditions(signature[layout.ENDED])]
    return lines
