"""Says what the third version of the `events` text leaves out: what no given subgoal asks about.

Where monsters are about, a message tells of their blows beside whatever else a step did; where a
task has all 85 actions, many of them do the same. Each such telling multiplies the texts that a
judge must be asked about and decides none of them:

- what monsters do, what they throw, and noises; what monster it was, but for one that is killed;
- how an object looks whose kind is not known ("a copper wand" is "a wand"), and of what monster a
  corpse is;
- in which of its ways the hero tried to move, and which key it was that the game knew no use for.

What a step did to the hero, to the level and to what is carried is all said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from nle import nethack

_SENTENCES = re.compile(r"(?<=[.!?)]) (?=[A-Z$(])")
_KILLS = re.compile(r"^You (?:kill|destroy|dissolve) ")
_BY_OTHERS = re.compile(
    r"^It (?:bites|breathes|butts|casts|claws|gazes|hits|just misses|kicks|misses|spits|stings|"
    r"touches)\b"
    r"|^You are (?:almost )?hit by |^You get zapped!$|^[\w' -]+ misses you[.!]$"
    r"|^You hear "
)
_WAYS_OF_MOVING = frozenset(
    ("move", "move far", "move without picking up", "move far without picking up", "rush",
     "rush around corners")
)  # fmt: skip
_LABEL = re.compile(
    r"\b(an? )?(?:unlabeled (scrolls?)|(scrolls?) labeled [A-Z](?:[A-Z0-9 ]*[A-Z0-9])?)"
)
_NO_COMMAND = re.compile(r"^(Unknown command|Invalid direction for) '(?:[^']+|')'")
_NOUNS = {
    nethack.WAND_CLASS: "wand",
    nethack.POTION_CLASS: "potion",
    nethack.RING_CLASS: "ring",
    nethack.AMULET_CLASS: "amulet",
    nethack.SPBOOK_CLASS: "spellbook",
    nethack.GEM_CLASS: "gem",
}
"""By class of objects, what they are called whose kind is not known: "copper wand"."""


def action_essentials(action: str, message: str) -> str:
    """Returns the kind of an action as the third version names it.

    Args:
        action: its kind, "move far".
        message: the game's after the step, as `envs.events.words.quote` returns it.

    >>> action_essentials("rush", ""), action_essentials("fire", "Unknown command 'f'.")
    ('move', 'a key')
    """
    if _NO_COMMAND.match(message):
        return "a key"
    return "move" if action in _WAYS_OF_MOVING else action


def message_essentials(message: str) -> str:
    """Returns of a message what the third version quotes; "" where nothing is left.

    Args:
        message: as `envs.events.words.quote` returns it.

    >>> message_essentials("The newt bites! You miss the newt. X - a copper wand.")
    'You miss the monster. X - a wand.'
    """
    message = _NO_COMMAND.sub(r"\1 'X'", message)
    kept = (_sentence(one) for one in _SENTENCES.split(message) if not _is_by_others(one))
    return " ".join(kept)


def _is_by_others(sentence: str) -> bool:
    """Returns whether a sentence tells what a monster did, what it threw, or a noise."""
    return bool(_BY_OTHERS.match(sentence) or _patterns()[0].match(sentence))


def _sentence(sentence: str) -> str:
    """Returns a sentence without names that no subgoal asks about."""
    _, corpse, monster, looks = _patterns()
    sentence = corpse.sub(_with_article, sentence)
    if not _KILLS.match(sentence):
        sentence = monster.sub(r"\1he monster", sentence)
    sentence = looks.sub(_with_article, sentence)
    return _LABEL.sub(_with_article, sentence)


def _with_article(match: re.Match[str]) -> str:
    """Returns the noun of a match, with an article where the match has one."""
    article, *nouns = match.groups()
    return f"{'a ' if article else ''}{next(filter(None, nouns))}"


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Returns patterns of what a monster does, of a corpse, of a monster, and of looks.

    The names and looks are NetHack's tables of monsters and objects.
    """
    monster = _any_of(nethack.permonst(i).mname for i in range(nethack.NUMMONS))
    looks, nouns = _any_of(_looks()), _any_of(_NOUNS.values())
    return tuple(
        re.compile(pattern)
        for pattern in (
            rf"^(?:The|An?) (?:invisible |saddled |peaceful |tame )*{monster}(?:'s)? ",
            rf"\b(an? )?(?:partly eaten )?{monster} (corpse)",
            rf"\b([Tt])he {monster}\b",
            rf"\b(an? )?(?={looks})(?:[\w-]+ )+?((?:{nouns}s?|boots|gloves)\b)",
        )
    )


def _looks() -> Iterator[str]:
    """Yields how objects look whose kind is not known: "copper wand", "mud boots"."""
    for number in range(nethack.NUM_OBJECTS):
        noun = _NOUNS.get(ord(nethack.objclass(number).oc_class))
        look = nethack.objdescr.from_idx(number).oc_descr or ""
        if look.endswith((" boots", " gloves")):
            yield look
        elif look and noun:
            yield f"{look} {noun}"


def _any_of(names: Iterable[str]) -> str:
    """Returns a pattern that matches any of some names, the longest that fits."""
    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    return f"(?:{'|'.join(map(re.escape, longest_first))})"
