"""The `events` description: what one step changed, in short sentences of a fixed order.

It says the kind of action, the message, what entered or left the inventory, what opened, filled
or was pushed, how near the hero has come to notable things, what ground it steps on, changes of
status, and how the episode ended. Never where: no position and no direction. So few different
texts arise (hundreds in a million steps), and each is judged once and kept for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import UsageError
from envs.events import signature as layout
from envs.events.sight import Arrays, Seeing, Sight
from envs.game.actions import kind as action_kind
from envs.game.glyphs import CARRIED, GROUNDS, THINGS
from envs.tasks import task

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
    layout.FAR: "more than 8 steps away",
    layout.WITHIN_8: "within 8 steps",
    layout.WITHIN_4: "within 4 steps",
    layout.WITHIN_2: "within 2 steps",
    layout.NEXT_TO: "next to the hero",
    layout.ON: "under the hero",
}
"""Words for the levels of nearness. Kinds told coarsely are only "in view" when far."""

_CAME = {
    layout.WITHIN_8: "within 8 steps of",
    layout.WITHIN_4: "within 4 steps of",
    layout.WITHIN_2: "within 2 steps of",
    layout.NEXT_TO: "next to",
    layout.ON: "onto",
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


def clean(message: npt.NDArray[Any] | bytes) -> str:
    """A message of the game as plain text: up to the first NUL, printable ASCII, single spaces."""
    raw = bytes(message).split(b"\0", 1)[0]
    text = "".join(chr(c) if 32 <= c < 127 else " " for c in raw)
    return " ".join(text.split())


_NUMBERS = re.compile(r"\d+")
_LETTERS = re.compile(r"\[(?:[^\]]+ or \?\*|[^\]]*[A-Za-z]-[A-Za-z][^\]]*)\]")
"""Inventory letters to choose from, "[$a-hKQ or ?*]" or "[bcf-zA-Z]", but no "[ynq]" or "[*]"."""
_LETTER = re.compile(r"(?<!\S)[A-Za-z] - (?=\S)")
"""The inventory letter before an object's name: "g - a key"."""


def quote(message: npt.NDArray[Any] | bytes) -> str:
    """A message in one line, the same for events that are the same: 3 daggers or 4, +0 or +1 are
    "N", and whatever letters objects have in the inventory are "X"."""
    text = _NUMBERS.sub("N", clean(message))
    text = _LETTERS.sub(lambda m: "[X or ?*]" if m[0].endswith(" or ?*]") else "[X]", text)
    return _LETTER.sub("X - ", text).replace('"', "'")


def named(kind: str, *, first: bool = False) -> str:
    """A kind of thing with its article: "the key", "a boulder"; `first` in a sentence or not."""
    name = _ARTICLE.get(kind) or f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    return name[0].upper() + name[1:] if first else name


def came(level: int) -> str:
    """What the hero came, when it came so near: "within 4 steps of", "next to"."""
    return _CAME[level]


def _nearness(kind: int, code: int, moved: bool) -> str:
    """The sentence for one kind of thing: about the thing where the hero has not moved."""
    name = THINGS[kind]
    thing, subject = named(name), named(name, first=True)
    if code == layout.AWAY:
        return f"The hero went away from {thing}." if moved else f"{subject} is farther away now."
    if code == layout.LOST:
        return f"{subject} went out of view." if moved else f"{subject} is gone from view now."
    if code >= layout.STATE:
        return f"{subject} is {NEARNESS[code - layout.STATE]}."
    before, after = divmod(code, 8)
    fine = layout.is_fine(name)
    if before == layout.ABSENT:
        where = NEARNESS[after] if fine or after != layout.FAR else ""
        return f"{subject} came into view" + (f", {where}." if where else ".")
    was = NEARNESS[before] if fine or before != layout.FAR else "in view, farther away"
    if not moved:
        return f"{subject} is {NEARNESS[after]} now (before: {was})."
    return f"The hero came {_CAME[after]} {thing} (before: {was})."


def _mask(low_high: npt.NDArray[np.uint8]) -> int:
    return int(low_high[0]) + 256 * int(low_high[1])


def _conditions(low_high: npt.NDArray[np.uint8]) -> list[str]:
    mask = _mask(low_high)
    return [name for bit, name in _CONDITIONS.items() if mask & bit]


def words(
    signature: npt.NDArray[np.uint8],
    action: str,
    message: str,
    question: str,
) -> str:
    """The `events` text of one signature of `Sight`.

    Args:
        signature: (WIDTH,) uint8.
        action: kind of the action, "move".
        message: what the game says after the step.
        question: what it was asking before, "" for nothing.
    """
    seen, end = int(signature[layout.SEEN]), int(signature[layout.END])
    head = [f"Action: {action}."]
    if seen & layout.ASKED:
        head[0] = f'Action: {action}, answering "{question}"'
    if seen & layout.WITH_KEY:
        head.append("The hero carries the key.")
    if message:
        head.append(f'Message: "{message}"')
    lines = []
    for columns, verb in ((layout.ENTERED, "entered"), (layout.LEFT, "left")):
        mask = _mask(signature[columns])
        for number in range(len(CARRIED)):
            if mask >> number & 1:
                lines.append(f"{named(CARRIED[number], first=True)} {verb} the inventory.")
    for bit, text in (
        (layout.OPENED, "A closed door is open now."),
        (layout.PUSHED, "The hero pushed a boulder."),
        (layout.WATER_FILLED, "Water turned into solid ground."),
        (layout.LAVA_FILLED, "Lava turned into solid ground."),
    ):
        if seen & bit:
            lines.append(text)
    if seen & layout.MOVED:
        lines.append("The hero moved.")
    elif action.startswith("move") and not seen & layout.ASKED and end != layout.DIED:
        lines.append("The hero did not move.")
    if seen & layout.CROSSED:
        lines.append("The hero came to the other side of the water or lava.")
    ground = int(signature[layout.GROUND_NOW])
    if ground:
        lines.append(f"The hero stepped into a {GROUNDS[ground]}.")
    codes = signature[layout.KINDS].tolist()
    moved = bool(seen & layout.MOVED)
    lines += [_nearness(kind, code, moved) for kind, code in enumerate(codes, start=1) if code]
    for column, fell, rose in _CHANGES:
        if signature[column]:
            lines.append(fell if signature[column] == 1 else rose)
    for column, states in ((layout.HUNGER, _HUNGER), (layout.BURDEN, _BURDEN)):
        if signature[column]:
            state = int(signature[column]) - 1
            lines.append(f"The hero is now {states[min(state, len(states) - 1)]}.")
    lines += [f"The hero is now {name}." for name in _conditions(signature[layout.GAINED])]
    lines += [f"The hero is no longer {name}." for name in _conditions(signature[layout.ENDED])]
    if end:
        lines.append(_ENDS[end])
    if not lines:
        lines.append("Nothing changed.")
    return "\n".join(head + lines)


def names_of_actions(
    task_id: str, batch: Arrays, actions: tuple[str, ...] | None
) -> tuple[str, ...]:
    """The English names of a batch's actions: those given, the engine's, or else the task's.

    Raises:
        UsageError: the batch has more or fewer actions.
    """
    rules = getattr(batch, "rules", None)
    if actions is not None:
        names = actions
    else:
        names = task(task_id).actions if rules is None else rules.actions
    needed = getattr(batch, "n_actions", len(names))
    if needed != len(names):
        raise UsageError(
            f"the batch has {needed} actions and {task_id} names {len(names)};"
            " give the English names of the batch's own"
        )
    return names


class EventStream:
    """Names every step of a batch by its event, and keeps the text of each event.

    An observer: append it to `batch.observers` before `batch.reset()`.

    Args:
        task_id: names the actions.
        batch: has `arrays` with the keys in `EventStream.keys`.
        actions: English names of the batch's actions, where they aren't the task's own.
        sight: what sees the changes; `envs.native.sight` has a faster one.

    Raises:
        UsageError: no such task, names that don't fit the batch's actions, or a batch without
            these keys.
    """

    keys = Sight.keys

    def __init__(
        self,
        task_id: str,
        batch: Arrays,
        actions: tuple[str, ...] | None = None,
        sight: Callable[[Arrays, npt.NDArray[np.uint8]], Seeing] = Sight,
    ) -> None:
        names = [action_kind(name) for name in names_of_actions(task_id, batch, actions)]
        if missing := [key for key in self.keys if key not in batch.arrays]:
            raise UsageError(
                f"a stream of events reads {', '.join(missing)}; add to the batch's keys"
            )
        self._kinds = list(dict.fromkeys(names))
        numbers = np.array([self._kinds.index(name) for name in names], np.uint8)
        self._arrays = batch.arrays
        self._sight = sight(batch, numbers)
        self.ids: npt.NDArray[np.int64] = np.zeros(len(self._sight.signatures), np.int64)
        """(B,) event of the last step: equal events have equal ids."""
        self.texts: list[str] = []
        """The `events` text of each id."""
        self.in_step = False
        """Whether rows are looked at before they are reset, see `envs.stepping.batch.Observer`."""
        self._by_signature: dict[bytes, int] = {}
        self._by_text: dict[str, int] = {}

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        self._sight.on_reset(rows)

    def on_step(
        self,
        actions: npt.NDArray[np.int64],
        terminated: npt.NDArray[np.bool_],
        truncated: npt.NDArray[np.bool_],
    ) -> None:
        self._sight.on_step(actions, terminated, truncated)
        known = self._by_signature
        signatures = self._sight.signatures.view(f"V{layout.WIDTH}").ravel().tolist()
        ids = [known.get(signature, -1) for signature in signatures]
        if -1 in ids:
            ids = [
                self._put_into_words(row, signatures[row]) if i < 0 else i
                for row, i in enumerate(ids)
            ]
        self.ids = np.array(ids, np.int64)

    def _put_into_words(self, row: int, signature: bytes) -> int:
        if signature in self._by_signature:  # two environments met it in this very step
            return self._by_signature[signature]
        seen = self._sight
        values = seen.signatures[row]
        text = words(
            values,
            self._kinds[int(values[layout.ACTION])],
            quote(self._heard(row)),
            quote(seen.questions[row]),
        )
        number = self._by_text.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        self._by_signature[signature] = number
        return number

    def _heard(self, row: int) -> npt.NDArray[Any]:
        """(256,) uint8: what the game said after the last step."""
        message: npt.NDArray[Any] = self._arrays["message"][row]
        return message
