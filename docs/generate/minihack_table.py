"""Writes the table of every id of MiniHack from the code and from two surveys of random play.

They stand beside this file. With Boxoban's levels at hand (`CALM_BOXOBAN`),

    calm survey --steps 100000 --no-timed --out docs/generate/tasks.json

makes the counts again, the same on every machine, and, where nothing else runs,

    calm survey --steps 10000 --out docs/generate/speeds.json

the speeds, which are of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docs.generate.tables import code, table
from envs.survey import ENVS, Survey, load_surveys
from envs.tasks import words_of

FILE = Path(__file__).parent / "tasks.json"
SPEEDS = Path(__file__).parent / "speeds.json"
_HEADER = (
    "id", "path", "actions", "limit", "goal", "subgoals", "steps", "events", "rewarded", "steps/s",
)  # fmt: skip


def surveys() -> list[Survey]:
    """Returns what random play met in each of MiniHack's ids, by id."""
    return load_surveys(FILE)


def speeds() -> dict[str, float]:
    """Returns steps a second of random play by id, of those that can be played."""
    return {one.task: one.steps_a_second for one in load_surveys(SPEEDS) if not one.error}


def minihack_table() -> str:
    """Returns the table of every id, and below it those that can't be played with the reason."""
    played = [one for one in surveys() if not one.error]
    intro = (
        f"{len(played)} ids. *Path*: who steps the game, our C (native) or MiniHack's own Python."
        f" *Events* and *rewarded*: different `events` texts, and steps with a reward, in so many"
        f" random *steps*, {ENVS} games at once; 0 rewarded says that random play met no reward. An"
        " episode of a task with a long limit may not have ended in them. *Steps/s*: of 10,000"
        f" such steps on two cores with nothing else running, {ENVS} games, texts and counts"
        " included; it tells which tasks are slow beside the others (those whose episodes are short"
        " or that need a new level each), and is another one on another machine."
    )
    errors = "\n".join(f"- {code(one.task)}: {one.error}" for one in surveys() if one.error)
    return "\n\n".join([intro, table(_HEADER, _rows(played)), f"Not played:\n\n{errors}"])


def _rows(played: Iterable[Survey]) -> Iterable[tuple[object, ...]]:
    """Yields the cells of each id that was played."""
    by_id = speeds()
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
            f"{by_id[one.task]:,.0f}",
        )
