"""What MiniHack's reward managers look for after every step; `envs.game.goal` looks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["message", "deed", "stairs"]
"""The message holds one of the texts; or `key` and then y is pressed while no cell of the screen is
described by the text, for the hero stands on what it names; or the hero is on the staircase down.
"""
KINDS: tuple[Kind, ...] = ("message", "deed", "stairs")
"""In the order of goal.c."""
MOST_CONDITIONS, MOST_BYTES = 4, 256
"""Conditions of a task, and bytes of the texts of one, for which calm.h has room."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a reward manager looks for after every step; MiniHack calls it an event."""

    kind: Kind
    reward: float
    """Of a step in which it holds."""
    texts: tuple[bytes, ...] = ()
    """What is looked for, see `Kind`."""
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
            condition = Condition("message", float(event.reward), texts, 0, *flags)
        elif type(event) is LocActionEvent:
            place = (event.loc.encode(),)
            condition = Condition("deed", float(event.reward), place, int(event.action), *flags)
        else:
            return None
        conditions.append(condition)
    for function in manager.custom_reward_functions:
        if function is not stairs_reward_function:
            return None
        conditions.append(Condition("stairs", 1.0, repeatable=True, required=False))
    fit = all(len(packed(one)) < MOST_BYTES for one in conditions)
    return tuple(conditions) if fit and 0 < len(conditions) <= MOST_CONDITIONS else None
