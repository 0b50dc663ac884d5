"""Whole episodes as arrays, as offline reinforcement learning reads them.

They come from the file of `calm collect`, or from what an agent of a run has played. An episode of
T steps has T + 1 observations, and T actions, rewards and ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.inspection.recording import Recording, Step
from calm.errors import UsageError
from calm.records import LabelledTransition, Screen, Task
from data.sharing.datasets_folder import reward_of

Array = npt.NDArray[Any]
TERMINAL = (24, 80)
"""Lines and columns of the terminal."""
ADVICE = (
    "`--format datasets` takes any transitions; whole episodes are what `calm collect` and the"
    " folder of a run hold"
)
"""What to do with transitions that are no episodes."""
NO_END = "does not end with its last step"


@dataclass(frozen=True)
class Episode:
    """One episode of T steps."""

    observations: Mapping[str, Array]
    """(T + 1, ...) by key: `tty_chars` and `tty_colors` (24, 80) uint8, as nle calls them, with
    blanks for what can't be printed; of a recorded run also `glyphs` (21, 79) int16."""
    actions: Array
    """(T,) int64, indices of the task's actions."""
    rewards: Array
    """(T,) float64, the environment's own."""
    terminated: bool
    """Whether the last step ended it; else time ran out."""
    infos: Mapping[str, Any]
    """(T + 1) of each, the first of which belongs to the reset: `events` the step in words,
    `achieved` (G,) int8, 1 yes, 0 no, -1 not known; of a recorded run also `credit` and `value`."""
    level_seed: int
    origin: str
    """The player, or the judge whose credit trained the agent."""


@dataclass(frozen=True)
class Episodes:
    """The whole episodes of one task."""

    task: Task
    subgoals: tuple[str, ...]
    """Names of the columns of `achieved`."""
    achieved_by: str
    """Who says so: the engine's truth, or a judge."""
    episodes: Sequence[Episode]
    left_out: tuple[str, ...] = ()
    """A sentence each on what is not in them."""


def episodes_of_rows(
    rows: Sequence[LabelledTransition], tasks: Mapping[str, Task], source: str
) -> list[Episodes]:
    """Returns the episodes of collected transitions, by task.

    Args:
        rows: of one part of a set, in its order.
        tasks: by id, of the rows.
        source: names the set in messages.

    Raises:
        UsageError: the rows are no whole episodes, or lack screens or rewards. One episode at the
            end that was cut off, as Ctrl-C leaves it, is left out and told.
    """
    runs = list(_runs(rows))
    faults = [fault for run in runs if (fault := _fault(run))]
    cut = len(faults) == 1 and len(runs) > 1 and _fault(runs[-1]).endswith(NO_END)
    if faults and not cut:
        raise UsageError(
            f"{len(faults):,} of the {len(runs):,} episodes in {source} are not whole: {faults[0]}."
            f" {ADVICE}"
        )
    left_out = (f"the last episode, cut off: {faults[0]}",) if cut else ()
    by_task: dict[str, list[list[LabelledTransition]]] = {}
    for run in runs[: len(runs) - cut]:
        by_task.setdefault(run[0].transition.task, []).append(run)
    return [
        _episodes_of_task(tasks[task], runs_of_task, source, left_out)
        for task, runs_of_task in by_task.items()
    ]


def _runs(rows: Iterable[LabelledTransition]) -> Iterator[list[LabelledTransition]]:
    """Yields neighbouring rows of one episode; step 0 begins another."""
    run: list[LabelledTransition] = []
    for row in rows:
        if run and (row.cluster != run[-1].cluster or row.transition.step == 0):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def _fault(run: Sequence[LabelledTransition]) -> str:
    """Returns what keeps neighbouring rows from being a whole episode; "" where nothing does."""
    name = run[0].cluster
    steps = [row.transition.step for row in run]
    if steps != list(range(len(steps))):
        return f"{name!r} has not every step from 0 on: steps were picked"
    ends = [row.transition.terminated or row.transition.truncated for row in run]
    if not ends[-1] or any(ends[:-1]):
        return f"{name!r} {NO_END}"
    for row in run:
        if row.before is None or row.after is None:
            return f"{name!r} has no screens, which are what is observed"
        if reward_of(row) is None:
            return f"{name!r} has no rewards; `calm collect` keeps them now, so collect it anew"
    return ""


def _episodes_of_task(
    task: Task,
    runs: Sequence[Sequence[LabelledTransition]],
    source: str,
    left_out: tuple[str, ...],
) -> Episodes:
    names = tuple(dict.fromkeys(name for run in runs for row in run for name in row.truth))
    texts = (
        "the descriptions `screen` and `crop`: the observations hold the terminal they are made of",
        "the subgoals' definitions, and the provenance of a step but for its level and its player",
    )
    return Episodes(
        task,
        names,
        "the engine's truth",
        [_episode_of_rows(run, task, names, source) for run in runs],
        (*texts, *left_out),
    )


def _episode_of_rows(
    run: Sequence[LabelledTransition], task: Task, names: Sequence[str], source: str
) -> Episode:
    screens = [run[0].before, *(row.after for row in run)]
    truth = [[int(row.truth.get(name, -1)) for name in names] for row in run]
    seed = run[0].provenance.get("level_seed", -1)
    return Episode(
        _terminals([screen for screen in screens if screen is not None], source),
        _action_indices([row.transition.action for row in run], task, source),
        np.array([reward_of(row) for row in run], np.float64),
        run[-1].transition.terminated,
        {
            "events": ["", *(row.transition.texts.get("events", "") for row in run)],
            "achieved": np.array([[0] * len(names), *truth], np.int8),
        },
        int(seed),
        str(run[0].provenance.get("player", "")),
    )


def episodes_of_recording(recording: Recording, task: Task) -> Episodes:
    """Returns the episodes that an agent of a run has played.

    Args:
        recording: of the run.
        task: that was played.

    Raises:
        UsageError: it is too old to hold the map, or tells of an action that the task has not.
    """
    source = "the recording"
    names = tuple(recording.subgoals)
    episodes = []
    for steps in recording.episodes:
        maps = [step.map() for step in steps]
        if any(glyphs is None for glyphs in maps):
            raise UsageError(
                f"{source} is older than maps in recordings; `calm replay RUN --again`"
            )
        taken = steps[1:]
        episodes.append(
            Episode(
                _terminals([Screen(s.chars, s.colours) for s in steps], source)
                | {"glyphs": np.stack([g for g in maps if g is not None]).astype(np.int16)},
                _action_indices([step.action for step in taken], task, source),
                np.array([step.r_env for step in taken], np.float64),
                steps[-1].end != "time ran out",
                {
                    "events": [step.event for step in steps],
                    "achieved": np.array([_achieved(step, names) for step in steps], np.int8),
                    "credit": [step.credit for step in steps],
                    "value": [step.value for step in steps],
                },
                steps[0].level_seed,
                f"agent trained for {recording.trained:,} steps on credit by {recording.judge}",
            )
        )
    left_out = ("the agent's own observation, which `calm replay` and `agents.load_agent` rebuild",)
    return Episodes(task, names, f"the judge {recording.judge}", episodes, left_out)


def _achieved(step: Step, names: Sequence[str]) -> list[int]:
    """Returns by subgoal 1 yes, 0 no; -1 where the judge's answer could not be read."""
    if step.unanswered:
        return [-1] * len(names)
    return [int(name in step.achieved) for name in names]


def _action_indices(names: Sequence[str], task: Task, source: str) -> Array:
    """Returns (T,) int64."""
    index = {name: i for i, name in enumerate(task.actions)}
    if len(index) != len(task.actions):
        raise UsageError(f"{source}: {task.id} has two actions of one name, so none has a number")
    for name in names:
        if name not in index:
            raise UsageError(f"{source}: {name!r} is no action of {task.id}")
    return np.array([index[name] for name in names], np.int64)


def _terminals(screens: Sequence[Screen], source: str) -> dict[str, Array]:
    """Returns screens as `tty_chars` and `tty_colors`, (T + 1, 24, 80) uint8."""
    shape = (len(screens), *TERMINAL)
    try:
        chars = b"".join(s.chars.replace("\n", "").encode("latin-1") for s in screens)
        colours = "".join(s.colours.replace("\n", "") for s in screens)
        return {
            "tty_chars": np.frombuffer(chars, np.uint8).reshape(shape),
            "tty_colors": np.array([int(c, 16) for c in colours], np.uint8).reshape(shape),
        }
    except ValueError as error:
        raise UsageError(f"{source}: a screen is no 24 lines of 80 characters: {error}") from None
