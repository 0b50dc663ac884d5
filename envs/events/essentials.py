"""Says what the third version of the `events` text leaves out: what no given subgoal asks about.

Where monsters are about, a message tells of their blows beside whatever else a step did; a hero
that takes all it walks over is told the name of each thing; where a task has all 85 actions, many
of them do the same. Each such telling multiplies the texts that a judge must be asked about, and
decides none of them:

- what monsters do, what they throw, noises, voices, rust, the load, and the welcome; what monster
  it was, but for those that a given subgoal is to kill;
- names of things that are taken or lie here, but for those that a given subgoal names;
- how an object looks whose kind is not known ("a copper wand" is "a wand"), whether it is cursed,
  and of what monster a corpse is;
- in which of its ways the hero tried to move, and which key it was that the game knew no use for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from nle import nethack

from envs.subgoals import KILLS

_KINDS = frozenset(("key", "wand", "horn", "ring", "amulet", "potion", "scroll"))
"""Kinds of `envs.game.glyphs.CARRIED` that given subgoals ask about."""
_ASKED_BY_NAME = {
    "weapon": re.compile(r"\bX - [^.]*\bdaggers?\b"),
    "piece of armor": re.compile(r"\bX - [^.]*\b(?:robe|boots)\b"),
}
"""Kinds of which given subgoals ask about these alone, as a message names them."""
_NAMED = re.compile(
    r"\b(?:key|wand|horn|apple|robe|dagger|amulet|scroll|ring|potion|boots|boulder)s?\b"
)
"""Things that given subgoals name."""
_TAKEN = re.compile(r"^(?:You have (?:a little|much|extreme) \w+ lifting )?(?=X - )")
_LYING = "You see here "
_AN_OBJECT = "an object."
_TOLD_BY_ITS_LINE = re.compile(
    r"^X - (?:an?|N) (?:object|wand|horn|potion|scroll|ring|amulet)s?\.$"
)

_SENTENCES = re.compile(r"(?:(?<=[.!?])|(?<=[.!?]')) (?=['A-Z$])")
_KILLS = re.compile(r"^You (?:kill|destroy|dissolve) ")
_ASIDE = re.compile(
    r"^It (?:bites|breathes|butts|casts|claws|gazes|hits|just misses|kicks|misses|spits|stings|"
    r"touches)\b"
    r"|^You are (?:almost )?hit by |^You get zapped!$|^[\w' -]+ misses you[.!]$"
    r"|^Can't open 'rumors' file|^Program in disorder!|^The key named [^:]* whispers: "
    r"|^You (?:begin praying|finish your prayer|sink like a rock|try to crawl)\b"
    r"|^The voice of [^:]*: |^Hello Agent, |^You are an? (?:\w+ )+[A-Z]\w+\.$"
    r"|^Water gets into |^Your [\w' -]+ (?:rusts?|dilutes?)\b|^That was close|^Pheew"
    r"|^You (?:hear (?!a monster behind)|rebalance your load|can barely move|stagger )"
    r"|^(?:Your movements are|Movement is) |^There is a staircase up here\.$"
)
_WAYS_OF_MOVING = frozenset(
    ("move", "move far", "move without picking up", "move far without picking up", "rush",
     "rush around corners")
)  # fmt: skip
_CURSED = re.compile(r"\b([Aa]n? )?(?:uncursed|cursed|blessed) (?:[+-]N )?(\w+)")
_LABEL = re.compile(
    r"\b([Aa]n? )?(?:unlabeled (scrolls?)|(scrolls?) labeled [A-Z](?:[A-Z0-9 ]*[A-Z0-9])?)"
)
_NO_COMMAND = re.compile(
    r"^(Unknown command|Unknown direction:|Invalid direction for) '(?:[^']+|')'"
)
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


def kind_essentials(kind: str, message: str) -> str:
    """Returns what the third version calls a kind of thing that entered or left the inventory.

    Args:
        kind: one of `envs.game.glyphs.CARRIED`.
        message: as `envs.events.words.quote` returns it.

    >>> kind_essentials("weapon", "X - a dart."), kind_essentials("weapon", "X - a dagger.")
    ('object', 'weapon')
    """
    if kind in _ASKED_BY_NAME:
        unnamed = "X - " in message and not _ASKED_BY_NAME[kind].search(message)
        return "object" if unnamed else kind
    return kind if kind in _KINDS else "object"


def message_essentials(message: str) -> str:
    """Returns of a message what the third version quotes; "" where nothing is left.

    What was taken comes first, and of equal sentences one stays.

    Args:
        message: as `envs.events.words.quote` returns it.

    >>> message_essentials("The newt bites! You miss the newt. X - a copper wand (N:N).")
    'X - a wand (N:N). You miss the monster.'
    """
    taken: set[str] = set()
    rest: list[str] = []
    for sentence in _SENTENCES.split(_NO_COMMAND.sub(r"\1 'X'", message)):
        if _ASIDE.match(sentence) or _patterns().by_monster.match(sentence):
            continue
        sentence = _without_names(sentence)
        if _TAKEN.match(sentence):
            taken.add(_of_a_thing("X - ", _TAKEN.sub("", sentence)))
        elif sentence.startswith(_LYING):
            rest.append(_of_a_thing(_LYING, sentence))
        else:
            rest.append(sentence)
    by_name = sorted(one for one in taken if not _TOLD_BY_ITS_LINE.match(one))
    return " ".join([*by_name, *dict.fromkeys(rest)])


def _of_a_thing(start: str, sentence: str) -> str:
    """Returns a sentence that names a thing after its start, where no subgoal names that thing."""
    return sentence if _NAMED.search(sentence) else start + _AN_OBJECT


def _without_names(sentence: str) -> str:
    """Returns a sentence without names that no given subgoal asks about."""
    known = _patterns()
    for pattern in (_CURSED, known.looks, _LABEL, known.corpse):
        sentence = pattern.sub(_noun, sentence)
    if _KILLS.match(sentence) and any(kind in sentence for kind in KILLS.values()):
        return sentence
    return known.monster.sub(r"\1he monster", sentence)


def _noun(match: re.Match[str]) -> str:
    """Returns the noun of a match, with an article where the match has one."""
    article, *nouns = match.groups()
    noun: str = next(filter(None, nouns))
    if not article:
        return noun
    vowel = noun[0] in "aeiou" and not noun.startswith(("eu", "uni", "ura"))
    return f"{article[0]}{'n' if vowel else ''} {noun}"


class _Patterns(NamedTuple):
    """What is made of the names in NetHack's tables of monsters and objects."""

    by_monster: re.Pattern[str]
    """A sentence on what a monster does."""
    corpse: re.Pattern[str]
    """A corpse, with its article."""
    monster: re.Pattern[str]
    """A monster, after "the"."""
    looks: re.Pattern[str]
    """An object whose kind is not known, with its article."""


@cache
def _patterns() -> _Patterns:
    """Returns the patterns; compiling them takes a moment, so at first use."""
    names = _any_of(nethack.permonst(i).mname for i in range(nethack.NUMMONS))
    monster = (
        rf"(?:invisible |saddled |peaceful |tame )*{names}(?! (?:eye|eared|key|scales?|shield)\b)"
    )
    of_monster = rf"(?:The|An?) {monster}(?: of [A-Z][\w-]+)?(?:'s)? "
    by_its_hand = rf"[\w' -]+ (?:hits|misses|slips as|welds itself to) the {monster}\b"
    looks, nouns = _any_of(_looks()), _any_of(_NOUNS.values())
    return _Patterns(
        by_monster=re.compile(rf"^(?:{of_monster}|(?!You ){by_its_hand})"),
        corpse=re.compile(rf"\b([Aa]n? )?(?:partly eaten )?{monster} (corpse)"),
        monster=re.compile(rf"\b([Tt])he {monster}\b(?: of [A-Z][\w-]+)?"),
        looks=re.compile(rf"\b([Aa]n? )?(?={looks})(?:[\w-]+ )+?((?:{nouns}s?|boots|gloves)\b)"),
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
