"""Plays tasks at random and counts what happens: events, rewards, wins, steps a second.

Whether a task can tell judged credit from mere novelty, or from nothing at all, is seen before
anything is trained on it: how many different things random play meets, and whether it ever meets
the reward.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from calm.errors import CalmError
from calm.files import write_file
from calm.tasks import is_task_file
from envs.events.stream import EventStream
from envs.events.words import check_version
from envs.game.goal import WON
from envs.implementations import make_event_stream
from envs.stepping.batch import Batch
from envs.tasks import environment_of, task_id
from envs.tasks import task as find_task
from envs.truth.make import with_truth

STEPS = 100_000
"""Random steps of one task, over all environments."""
ENVS = 32
"""Environments stepped together."""


@dataclass(frozen=True)
class Survey:
    """What a task is, and what came of random play; counts are 0 where it can't be played."""

    task: str
    """Id."""
    path: str = ""
    """Who steps it: native (our C), or MiniHack's own Python."""
    actions: int = 0
    """How many there are to choose from."""
    limit: int = 0
    """Steps after which an episode ends."""
    subgoals: int = 0
    """Given ones."""
    with_truth: int = 0
    """Those of which the engine tells the truth."""
    steps: int = 0
    """Random ones, over all environments."""
    episodes: int = 0
    """That ended within them."""
    events: int = 0
    """Different `events` texts."""
    descriptions: int = 1
    """Version of these texts."""
    rewarded: int = 0
    """Episodes in which some step was rewarded; MiniHack's penalty for idle steps left out."""
    steps_rewarded: int = 0
    """Steps that were rewarded, those of episodes that have not ended among them."""
    won: int = 0
    """Episodes that reached the task's goal."""
    steps_a_second: float = 0.0
    """With all observers that the counts need, on so many cores as there are."""
    error: str = ""
    """Why it can't be played; "" where it can."""


def survey(
    name: str, steps: int = STEPS, seed: int = 0, timed: bool = True, descriptions: int = 1
) -> Survey:
    """Plays a task at random.

    Args:
        name: id, short or whole, or file of a task.
        steps: over all environments, rounded up to whole steps of `ENVS`.
        seed: of levels and actions.
        timed: False leaves the steps a second at 0; all else is the same on every machine.
        descriptions: version of the `events` texts that are counted, see
            `envs.events.words.VERSIONS`.

    Raises:
        UsageError: no such task or version, or one that needs what is not here.
        GameError: its level does not compile.
    """
    task = find_task(name)
    environment, options = environment_of(task)
    rng = np.random.default_rng(seed)
    with Batch(
        environment,
        ENVS,
        EventStream.keys,
        penalty=False,
        seed=seed,
        options=options,
        descriptions=descriptions,
    ) as batch:
        stream = make_event_stream(environment, batch)
        batch.observers.append(stream)
        batch.reset()
        paid = np.zeros(ENVS, bool)
        episodes = rewarded = won = steps_rewarded = 0
        turns = -(-steps // ENVS)
        started = time.perf_counter()
        for _ in range(turns):
            rewards, terminated, truncated = batch.step(rng.integers(batch.n_actions, size=ENVS))
            steps_rewarded += int((rewards > 0).sum())
            paid |= rewards > 0
            ended = terminated | truncated
            if batch.any_ended:
                episodes += int(ended.sum())
                rewarded += int((paid & ended).sum())
                won += int((batch.status[ended] == WON).sum())
                paid &= ~ended
        seconds = time.perf_counter() - started
        return Survey(
            task.id,
            path="MiniHack" if batch.rules.path == "minihack" else "native",
            actions=batch.n_actions,
            limit=batch.rules.max_steps,
            subgoals=len(task.subgoals),
            with_truth=len(with_truth(task)) if task.subgoals else 0,
            steps=turns * ENVS,
            episodes=episodes,
            events=len(stream.texts),
            descriptions=descriptions,
            rewarded=rewarded,
            steps_rewarded=steps_rewarded,
            won=won,
            steps_a_second=round(turns * ENVS / seconds, 1) if timed else 0.0,
        )


def survey_all(
    names: Iterable[str],
    steps: int,
    seed: int,
    done: Callable[[Survey], None],
    timed: bool = True,
    descriptions: int = 1,
) -> list[Survey]:
    """Plays one task after the other; one that can't be played is listed with its error.

    Args:
        names: ids or files.
        steps: of each.
        seed: of levels and actions.
        done: called with each survey.
        timed, descriptions: see `survey`.

    Raises:
        UsageError: a name of no task, no such version.
    """
    check_version(descriptions)
    surveys = []
    for name in names:
        try:
            one = survey(name, steps, seed, timed, descriptions)
        except CalmError as error:
            one = Survey(name if is_task_file(name) else task_id(name), error=str(error))
        surveys.append(one)
        done(one)
    return surveys


def save_surveys(path: Path, surveys: Iterable[Survey]) -> None:
    """Writes surveys as JSON, one line each, replacing what was there of the same tasks."""
    by_task = {one.task: one for one in (*load_surveys(path), *surveys)}
    lines = [json.dumps(asdict(by_task[task])) for task in sorted(by_task)]
    write_file(path, "[\n" + ",\n".join(lines) + "\n]\n")


def load_surveys(path: Path) -> list[Survey]:
    """Reads what `save_surveys` wrote; nothing where there is no file.

    Raises:
        CalmError: the file holds something else.
    """
    if not path.exists():
        return []
    try:
        return [Survey(**row) for row in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise CalmError(
            f"{path} is no file of `calm survey --out`: {error}; name another file"
        ) from error
