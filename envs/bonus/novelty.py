"""Pays for novelty within an episode: 1 for what occurs in it for the first time, 0 for repeats.

No judge is needed to know what is new. What is compared is the choice (`WAYS`):

`novelty`           the `events` text of a step (`envs.events.stream`)
`novelty:message`   the game's message; no message is nothing new
`novelty:cell`      the cell of the map that the hero stands in, on its level of the dungeon
`novelty:crop`      the square of the map around the hero
`novelty:relevant`  the `events` text, if by the judge it achieves some subgoal. Unlike
                    credit paid `once`, two events that achieve the same subgoal both pay.

The first observation of an episode is known from the start and pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from nle import nethack

from calm.errors import UsageError, unknown
from envs.bonus.episode_sets import EpisodeSets, Numbers, numbers_of_rows
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.observer import Actions, Bools, Rows
from envs.seeding import mix
from envs.stepping.batch import Batch, Rewards

if TYPE_CHECKING:
    from envs.credit.shaping import BatchCredit
    from envs.credit.sources import AchievementSource

WAYS = ("novelty", "novelty:message", "novelty:cell", "novelty:crop", "novelty:relevant")
"""The names of all kinds of novelty, by what is compared."""
CELL = (nethack.NLE_BL_X, nethack.NLE_BL_Y, nethack.NLE_BL_DNUM, nethack.NLE_BL_DLEVEL)
"""Columns of `blstats` that say where the hero is."""


@dataclass(frozen=True)
class MakeNovelty:
    """Builds novelty for a batch.

    Args:
        way: one of `WAYS`.

    Raises:
        UsageError: another way. On being called: `novelty:relevant` without a judge.
    """

    way: str = "novelty"

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise unknown("bonus", self.way, WAYS)

    @property
    def keys(self) -> tuple[str, ...]:
        """Observation keys that it reads."""
        read = {"message": ("message",), "cell": ("blstats",), "crop": ("glyphs_crop",)}
        return read.get(self.way.partition(":")[2], EventStream.keys)

    def __call__(self, batch: Batch, credit: BatchCredit | None) -> Novelty | ObservedNovelty:
        """Returns the novelty of one batch; it shares the stream of events with a judge, if any."""
        kind = self.way.partition(":")[2]
        if kind in _NUMBERS:
            return ObservedNovelty(batch, *_NUMBERS[kind])
        source = None
        if kind == "relevant":
            if credit is None:
                raise UsageError(
                    "novelty:relevant pays for new events that a judge says achieve something, and"
                    " there is no judge: name one (--judge rules), or take the bonus novelty"
                )
            source = credit.source
        stream = getattr(credit.source, "stream", None) if credit is not None else None
        if not isinstance(stream, EventStream):
            stream = make_event_stream(batch.task, batch)
            batch.observers.append(stream)
        return Novelty(batch.n_envs, stream, source)


class Novelty:
    """Pays for the events that are new in their episode.

    Args:
        n_envs: B.
        stream: numbers the event of each step; an observer of the batch, or part of one.
        judge: whose answers tell what the last step achieved; an event that achieves nothing then
            pays nothing. None pays for all.
    """

    def __init__(
        self,
        n_envs: int,
        stream: EventStream,
        judge: AchievementSource | None = None,
    ) -> None:
        self._stream, self._judge = stream, judge
        self._so_far = EpisodeSets(n_envs)
        self._every = np.arange(n_envs)

    def reset(self) -> None:
        """Forgets the events of all episodes."""
        self._so_far.clear(self._every)

    def step(self, actions: Actions, ended: Bools) -> Rewards:
        """Returns (B,) float32, 1 where the event of the last step is new in its episode."""
        new = self._so_far.add(mix(self._stream.ids.astype(np.uint64)))
        if self._judge is not None:
            new &= (self._judge.achieved == 1).any(axis=1)
        if np.count_nonzero(ended):
            self._so_far.clear(np.flatnonzero(ended))
        return new.astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Returns nothing: no episode outlives a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Has nothing to take over."""


class ObservedNovelty:
    """Pays for what is new in an observation.

    Args:
        batch: whose arrays hold `key`.
        key: the observation that is compared.
        number: returns a number for each row's content, (B, ...) to (B,) uint64; 0 is nothing that
            could be new.
    """

    def __init__(self, batch: Batch, key: str, number: Callable[[Any], Numbers]) -> None:
        self._batch, self._key, self._number = batch, key, number
        self._so_far = EpisodeSets(batch.n_envs)

    def reset(self) -> None:
        """Forgets all episodes but for their first observation."""
        self._begin(np.arange(self._batch.n_envs))

    def step(self, actions: Actions, ended: Bools) -> Rewards:
        """Returns (B,) float32, 1 where the last step led to something new in its episode."""
        contents = self._number(self._batch.reached(self._key))
        new: Bools = self._so_far.add(contents) & (contents != 0)
        if np.count_nonzero(ended):
            self._begin(np.flatnonzero(ended))
        bonus: Rewards = new.astype(np.float32)
        return bonus

    def state(self) -> dict[str, Any]:
        """Returns nothing: no episode outlives a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Has nothing to take over."""

    def _begin(self, rows: Rows) -> None:
        """Begins the episodes of some rows, whose first observation is known."""
        self._so_far.clear(rows)
        first = self._number(self._batch.arrays[self._key])
        self._so_far.add_to(rows, first[rows])


def _message(messages: npt.NDArray[np.uint8]) -> Numbers:
    """Returns a number for each message (B, 256), (B,) uint64; 0 for none.

    What stands after a message's end does not count.
    """
    words = messages * (np.cumsum(messages == 0, axis=1) == 0)
    numbers: Numbers = np.where(messages[:, 0] != 0, numbers_of_rows(words), np.uint64(0))
    return numbers


def _cell(blstats: npt.NDArray[np.int64]) -> Numbers:
    """Returns a number for the cell that each hero stands in, (B,) uint64."""
    return numbers_of_rows(blstats[:, CELL])


_NUMBERS: dict[str, tuple[str, Callable[[Any], Numbers]]] = {
    "message": ("message", _message),
    "cell": ("blstats", _cell),
    "crop": ("glyphs_crop", numbers_of_rows),
}
