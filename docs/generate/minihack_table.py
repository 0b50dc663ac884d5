"""Writes the table of every id of MiniHack from the code and from one survey of random play.

The survey stands in `tasks.json` beside this file. With Boxoban's levels at hand (`CALM_BOXOBAN`),

    calm survey --steps 10000 --no-timed --out docs/generate/tasks.json

makes it again, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docs.generate.tables import code, table
from envs.survey import ENVS, Survey, load_surveys
from envs.tasks import words_of

FILE = Path(__file__).parent / "tasks.json"
_HEADER = ("id", "path", "actions", "limit", "goal", "subgoals", "steps", "events", "rewarded")


def surveys() -> list[Survey]:
    """Returns what random play met in each of MiniHack's ids, by id."""
    return load_surveys(FILE)


def minihack_table() -> str:
    """Returns the table of every id, and below it those that can't be played with the reason."""
    played = [one for one in surveys() if not one.error]
    intro = (
        f"{len(played)} ids. *Path*: who steps the game, our C (native) or MiniHack's own Python."
        f" *Events* and *rewarded*: different `events` texts, and steps with a reward, in so many"
        f" random *steps*, {ENVS} games at once; 0 rewarded says that random play met no reward. An"
        " episode of a task with a long limit may not have ended in them."
    )
    errors = "\n".join(f"- {code(one.task)}: {one.error}" for one in surveys() if one.error)
    return "\n\n".join([intro, table(_HEADER, _rows(played)), f"Not played:\n\n{errors}"])


def _rows(played: Iterable[Survey]) -> Iterable[tuple[object, ...]]:
    """Yields the cells of each id that was played."""
    for one in played:
        goal, subgoals = words_of(one.task) or ("", ())
        yield (
            code(one.task.removeprefix("MiniHack-")),
            one.path,
            one.actions,
            one.limit,
            goal,
            len(subgoals),
            f"{one.steps:,}",
            f"{one.events:,}",
            f"{one.steps_rewarded:,}",
        )
