"""The paper's questions about its prompt, as options that can be crossed.

    role      on, off    whether the prompt begins by saying what the model is to be
    legend    on, off    whether the map's symbols are explained (`screen` and `crop`)
    goal      real, win  the task's own sentence, or "Win the game."
    message   on, off    whether the game's messages are in the description
    action    on, off    whether the action is
    spacing   off, on    whether a blank follows each character of the map (`screen` and `crop`)

and apart from these, in `--sweep form` but not in `all`:

    form      booleans, ...  the form of question and answer, see `calm.asking.form`

The first level is the default. All but `role` and `form` change what is put into the prompt, so any
judge can be asked under them, also one that reads by rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from calm.asking.form import FORMS
from calm.errors import UsageError, unknown
from calm.records import Mode, Task, Transition

FORM = "form"
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "role": ("on", "off"),
    "legend": ("on", "off"),
    "goal": ("real", "win"),
    "message": ("on", "off"),
    "action": ("on", "off"),
    "spacing": ("off", "on"),
    FORM: tuple(FORMS),
}
"""Levels of every option, the default first."""

NO_ROLE_TEMPLATE = "judge-norole-v1"

Variant = Mapping[str, str]
"""The options that differ from their defaults."""


def parse(pairs: Sequence[str]) -> dict[str, str]:
    """Returns the levels by option, from `name=level` words.

    Raises:
        UsageError: no such option or level; lists those there are.
    """
    levels = {}
    for pair in pairs:
        name, _, level = pair.partition("=")
        if name not in OPTIONS:
            raise unknown("prompt option", name, OPTIONS)
        if level not in OPTIONS[name]:
            raise unknown(f"level of {name}", level, OPTIONS[name])
        levels[name] = level
    return levels


def variants(fixed: Mapping[str, str], crossed: Sequence[str]) -> list[Variant]:
    """Returns every combination of the levels of the crossed options, the others as fixed.

    The order is that of the options; the first is the plain one. `all` crosses
    everything but `form`.
    """
    names = list(dict.fromkeys(crossed))
    if "all" in names:
        names = [n for n in OPTIONS if n != FORM or n in names]
    for name in names:
        if name not in OPTIONS:
            raise unknown("prompt option", name, [*OPTIONS, "all"])
        if name in fixed:
            raise UsageError(f"{name} is both fixed by --prompt and crossed by --sweep")
    levels = [OPTIONS[n] if n in names else (fixed.get(n, OPTIONS[n][0]),) for n in OPTIONS]
    return [
        {n: level for n, level in zip(OPTIONS, chosen, strict=True) if level != OPTIONS[n][0]}
        for chosen in product(*levels)
    ]


def title(variant: Variant) -> str:
    """Returns a variant's name in tables: "legend=off message=off", "" for the default."""
    return " ".join(f"{name}={level}" for name, level in variant.items())


def reword_task(task: Task, variant: Variant) -> Task:
    """Returns the task as a variant shows it: its legend left out, its goal made vague."""
    if variant.get("legend") == "off":
        task = replace(task, legend="")
    if variant.get("goal") == "win":
        task = replace(task, goal="Win the game.")
    return task


def reword_transition(transition: Transition, mode: Mode, variant: Variant) -> Transition:
    """Returns the transition with its description of `mode` reworded; itself without a variant."""
    if not variant:
        return transition
    return replace(transition, texts={mode: reworded(transition.texts[mode], variant)})


def reworded(text: str, variant: Variant) -> str:
    """Returns a description as a variant words it; knows the forms that `envs` writes.

    Each has its message and its action on lines of their own. A map follows the line of a message
    (or of none) in the block that begins with "Before:" or "After:".
    """
    if variant.get("spacing") == "on":
        text = _MAP.sub(lambda m: m[1] + _spaced(m[2]), text)
    if variant.get("message") == "off":
        text = _MESSAGE.sub("", text)
    if variant.get("action") == "off":
        text = _ACTION.sub("", text)
    return text


_MESSAGE = re.compile(r'^(?:Message: ".*"|No message\.)\n?', re.MULTILINE)
_ACTION = re.compile(r"^Action: .*\n*", re.MULTILINE)
_MAP = re.compile(r"^((?:Before|After):\n.*\n)((?:.+\n?)+)", re.MULTILINE)


def _spaced(lines: str) -> str:
    return "\n".join(" ".join(line) for line in lines.split("\n"))
