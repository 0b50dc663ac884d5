"""Counts in a fixed play of a task how often each event occurs, and achieves each subgoal.

What a judge's precision is worth depends on the rate of what it judges, and that rate on who plays.
This is one play for every judge: the scripted, the sloppy and the random player, equally many steps
each, from nothing learned to the task done, on levels of the split `data`, seed 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.players.make import PLAYERS, make_player
from envs.players.player import KEYS as PLAYER_KEYS
from envs.stepping.batch import Batch
from envs.truth.stream import TruthStream

Counts = npt.NDArray[np.int64]

ENVS_EACH, STEPS = 4, 2000
"""Environments of each player and steps of each environment: 24,000 steps in all, of which
KeyRoom-S5 takes 4 seconds and KeyRoom-S15 11 (two cores)."""


@dataclass(frozen=True)
class Frequencies:
    """How often each event occurred, and achieved each subgoal."""

    texts: tuple[str, ...]
    """N different events, in the words of `envs.events.stream`."""
    count: Counts
    """(N,) steps with this event."""
    achieved: Counts
    """(N, G) of them, steps that truly achieved the subgoal."""

    @property
    def yes(self) -> Counts:
        """(G,) steps that achieved each subgoal."""
        return np.asarray(self.achieved.sum(0))

    @property
    def no(self) -> Counts:
        """(G,) steps that did not."""
        return np.asarray(self.count.sum() - self.yes)


@cache
def reference(task_id: str, subgoals: tuple[Subgoal, ...], descriptions: int = 1) -> Frequencies:
    """Returns frequencies in the reference play of a task, the same in every process; cached."""
    return frequencies(task_id, subgoals, ENVS_EACH, STEPS, seed=0, descriptions=descriptions)


def frequencies(
    task_id: str,
    subgoals: Sequence[Subgoal],
    envs_each: int,
    steps: int,
    seed: int,
    descriptions: int = 1,
) -> Frequencies:
    """Plays a task with all of `envs.players.make.PLAYERS`; returns how often each event occurred.

    Args:
        task_id: a whole id that `envs.tasks` knows.
        subgoals: with a truth.
        envs_each: environments of each player.
        steps: of each environment.
        seed: of the levels, out of the split `data`, and of the players' chance.
        descriptions: version of the events' texts, see `envs.events.words.VERSIONS`.

    Raises:
        UsageError: unknown task, or a subgoal without a truth.
    """
    names = PLAYERS * envs_each
    keys = dict.fromkeys((*PLAYER_KEYS, *EventStream.keys, *TruthStream.keys))
    with Batch(
        task_id,
        len(names),
        tuple(keys),
        split="data",
        seed=seed,
        workers=0,
        descriptions=descriptions,
    ) as batch:
        events, truth = make_event_stream(task_id, batch), TruthStream(task_id, subgoals, batch)
        batch.observers += [events, truth]
        batch.reset()
        crew = [make_player(name, task_id) for name in names]
        chance = [np.random.default_rng([seed, i]) for i in range(len(crew))]
        for player, rng in zip(crew, chance, strict=True):
            player.begin(rng)
        ids, achieved = [], []
        for _ in range(steps):
            actions = [
                player.act({key: batch.arrays[key][i] for key in PLAYER_KEYS})
                for i, player in enumerate(crew)
            ]
            _, terminated, truncated = batch.step(np.array(actions))
            ids.append(events.ids.copy())
            achieved.append(truth.achieved.copy())
            for i in np.flatnonzero(terminated | truncated):
                crew[i].begin(chance[i])
    number, yes = np.concatenate(ids), np.concatenate(achieved)
    n = len(events.texts)
    by_event = np.zeros((n, yes.shape[1]), np.int64)
    np.add.at(by_event, number, yes)
    return Frequencies(tuple(events.texts), np.bincount(number, minlength=n), by_event)
