"""What MiniHack's reward managers look for after every step; `envs.game.goal` looks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from envs.game.glyphs import ALTAR, SINK

Kind = Literal["message", "deed", "stairs"]
"""The message holds one of the texts; or `key` and then y is pressed while no cell of the map shows
the place, for the hero stands on it; or the hero is on the staircase down."""
KINDS: tuple[Kind, ...] = ("message", "deed", "stairs")
"""In the order of goal.c."""
PLACES = {"altar": ALTAR, "sink": SINK}
"""Glyphs of places of deeds. MiniHack looks for the word in the descriptions of all cells; of what
NetHack knows, these alone are described by it."""
MOST_CONDITIONS, MOST_BYTES = 4, 256
"""Conditions of a task, and bytes of the texts of one, for which calm.h has room."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a reward manager looks for after every step; MiniHack calls it an event."""

    kind: Kind
    reward: float
    """Of a step in which it holds."""
    texts: tuple[bytes, ...] = ()
    """What a message may hold."""
    place: int = 0
    """Glyph of a deed's place."""
    key: int = 0
    """Code of a deed's key."""
    repeatable: bool = False
    """Whether it pays every time, and never counts as achieved; else it does both once."""
    required: bool = True
    """Whether the goal is not reached before it is achieved, unless a sufficient one is."""
    sufficient: bool = False
    """Whether the goal is reached as soon as it is achieved."""


def packed(condition: Condition) -> bytes:
    """Returns the texts of a condition as goal.c reads them: each ended by a zero."""
    return b"".join(text + b"\0" for text in condition.texts)


def read_conditions(manager: Any) -> tuple[Condition, ...] | None:
    """Returns the conditions of MiniHack's reward manager; None where it has others than ours."""
    from minihack.envs.exploremaze import stairs_reward_function
    from minihack.reward_manager import LocActionEvent, MessageEvent, RewardManager

    if type(manager) is not RewardManager:
        return None
    conditions = []
    for event in manager.events:
        flags = (event.repeatable, event.terminal_required, event.terminal_sufficient)
        if type(event) is MessageEvent:
            texts = tuple(text.encode() for text in event.messages)
            if any(not text or b"\0" in text for text in texts):
                return None
            condition = Condition("message", float(event.reward), texts, 0, 0, *flags)
        elif (
            type(event) is LocActionEvent and event.loc in PLACES and isinstance(event.action, int)
        ):
            deed = PLACES[event.loc], int(event.action)
            condition = Condition("deed", float(event.reward), (), *deed, *flags)
        else:
            return None
        conditions.append(condition)
    for function in manager.custom_reward_functions:
        if function is not stairs_reward_function:
            return None
        conditions.append(Condition("stairs", 1.0, repeatable=True, required=False))
    fit = all(len(packed(one)) < MOST_BYTES for one in conditions)
    return tuple(conditions) if fit and 0 < len(conditions) <= MOST_CONDITIONS else None
