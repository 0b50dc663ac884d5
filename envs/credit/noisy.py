"""Makes a judge of known quality: the engine's truth with some misses and some false alarms.

An answer is one (step, subgoal). In the reference play of the task (`envs.truth.reference_play`),
subgoal g is achieved in N+ of the steps and not in N-. A judge with recall R and precision P says
yes

    truly to       R N+ of the answers,
    falsely to     R N+ (1 - P) / P,  since P = true / (true + false),

so it misses a share 1 - R of what is achieved, and invents a share f = R N+ (1 - P) / (P N-) of
what is not. f is small where achievements are rare: a judge of precision .63 and recall .53 may be
wrong in 2 % of the steps if 6 % of them achieve something.

By `step`, each answer is wrong by a chance of its own, drawn from (seed, level, step, subgoal): of
every subgoal the precision is P and the recall R.

By `event`, as a model is wrong, the same event always gets the same answer. Few events make up most
of play, so drawing the wrong ones blindly would miss P and R by far. All (event, subgoal) are put
into an order drawn from a hash of (seed, event, subgoal); going along it, each that still fits is
wrong, until the steps in which they occur fill the number of misses (all subgoals together: one
often has two or three events in all) or of false alarms (each subgoal for itself). Where that still
misses P or R, other orders are tried. Events that do not occur in the reference play are wrong with
the chances 1 - R and f, by the same hash.

P and R hold at the reference's rates. An agent meets other events: one that plays worse achieves
less and gets the same false alarms, so its precision is lower. `hits`, `misses` and `false_alarms`
of the stream count the answers that a run really got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError, unknown
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.observer import Actions, Bools, Rows
from envs.seeding import mix
from envs.stepping.batch import Batch
from envs.truth.reference_play import Frequencies, reference
from envs.truth.stream import TruthStream

By = Literal["event", "step"]
Floats = npt.NDArray[np.float64]

TOLERANCE = 0.02
"""How far from P and R the wrong events may lie in the reference play."""
ORDERS = 50
"""Orders that are tried until the wrong events lie so near."""


@dataclass(frozen=True)
class NoisyTruth:
    """Builds the truth with errors for a batch; give it to `make_vec` as `judge`.

    Raises:
        UsageError: a value out of range. On being called: the task's truth can't be told, or no
            choice of wrong answers has this precision and recall.
    """

    keys: ClassVar[tuple[str, ...]] = tuple(dict.fromkeys((*TruthStream.keys, *EventStream.keys)))

    precision: float
    """Share of its yeses that are true, in (0, 1]."""
    recall: float
    """Share of what is achieved that it says yes to, in (0, 1]."""
    seed: int = 0
    """Of which answers are wrong."""
    by: By = "event"
    """What is wrong together: an event whenever it occurs, or a single step."""

    def __post_init__(self) -> None:
        for name in ("precision", "recall"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise UsageError(
                    f"the {name} of a noisy judge lies above 0 and up to 1, got"
                    f" {getattr(self, name)}; for one that never says yes take always-no"
                )
        if self.by not in get_args(By):
            raise unknown("way to be wrong", self.by, get_args(By))

    def __call__(self, batch: Batch, subgoals: Sequence[Subgoal]) -> NoisyStream:
        """Returns the source of achievements for one batch."""
        return NoisyStream(self, batch, subgoals)

    def false_rates(self, play: Frequencies) -> Floats:
        """Returns the share (G,) of the answers of "no" that turn into a false alarm.

        Args:
            play: the frequencies of the reference play.

        Raises:
            UsageError: there are fewer steps than false alarms.
        """
        false_alarms = self.recall * play.yes * (1 - self.precision) / self.precision
        if (false_alarms > play.no).any():
            least = float(np.max(self.recall * play.yes / (self.recall * play.yes + play.no)))
            raise UsageError(
                f"a precision of {self.precision:g} at recall {self.recall:g} needs more false"
                f" alarms than this task has steps; the least possible is {least:.3f}"
            )
        return np.asarray(false_alarms / np.maximum(play.no, 1))


@dataclass(frozen=True)
class Mistakes:
    """Which events of the reference play are judged wrongly, both (N, G)."""

    missed: Bools
    """Where an achievement is not seen."""
    invented: Bools
    """Where what is no achievement is taken for one."""

    def quality(self, play: Frequencies) -> tuple[float, float]:
        """Returns precision and recall in the reference play, all answers together."""
        true = int(play.achieved[~self.missed].sum())
        false = int((play.count[:, None] - play.achieved)[self.invented].sum())
        return true / max(true + false, 1), true / max(int(play.yes.sum()), 1)


def choose(noise: NoisyTruth, play: Frequencies, subgoals: Sequence[Subgoal]) -> Mistakes:
    """Chooses the events that are judged wrongly, as the head of this file describes.

    Args:
        noise: the precision and recall to come near.
        play: the frequencies of the reference play, N events and G subgoals.
        subgoals: (G,).

    Raises:
        UsageError: no subgoal is ever achieved, or the events are too few to come within
            `TOLERANCE` of the precision and recall.
    """
    if not play.yes.any():
        raise UsageError(
            "no subgoal is ever achieved in the reference play of this task, so precision and"
            " recall have no meaning there; take another task or other subgoals"
        )
    nearest, off = (0.0, 0.0), np.inf
    for attempt in range(ORDERS):
        mistakes = _draw(noise, play, subgoals, attempt)
        precision, recall = mistakes.quality(play)
        further = max(abs(precision - noise.precision), abs(recall - noise.recall))
        if further <= TOLERANCE:
            return mistakes
        if further < off:
            nearest, off = (precision, recall), further
    raise UsageError(
        f"this task has too few different events for precision {noise.precision:g} and recall"
        f" {noise.recall:g} by event; the nearest with seed {noise.seed} is {nearest[0]:.3f} and"
        f" {nearest[1]:.3f}; take by=step or another seed"
    )


def _draw(
    noise: NoisyTruth, play: Frequencies, subgoals: Sequence[Subgoal], attempt: int
) -> Mistakes:
    """Chooses the wrong events by one order, which may miss P and R by what no longer fitted."""
    salt = f"{attempt}\n" if attempt else ""
    draw = np.array([[uniform(noise.seed, salt + t, s.name) for s in subgoals] for t in play.texts])
    yes, no = play.achieved, play.count[:, None] - play.achieved
    missed = _fill(draw, yes, (1 - noise.recall) * float(play.yes.sum()))
    rates = noise.false_rates(play)
    invented = np.stack(
        [_fill(draw[:, g], no[:, g], rate * play.no[g]) for g, rate in enumerate(rates)], 1
    )
    # An event that never had this truth in the reference may have it elsewhere.
    missed |= (yes == 0) & (draw < 1 - noise.recall)
    invented |= (no == 0) & (draw < rates)
    return Mistakes(missed, invented)


def _fill(draw: Floats, weight: npt.NDArray[np.int64], budget: float) -> Bools:
    """Returns which cells fit into a budget, filled in the order of `draw`; the same shape.

    Args:
        draw: the order of the cells, the smallest first.
        weight: steps of each cell, the same shape; those without any are left out.
        budget: steps to fill.
    """
    fits = np.zeros(draw.size, np.bool_)
    left = budget + 0.5  # whole steps: half a step over is nearer than half a step under
    flat = weight.ravel()
    for i in np.argsort(draw, axis=None).tolist():
        if 0 < flat[i] <= left:
            fits[i] = True
            left -= float(flat[i])
    return fits.reshape(draw.shape)


def uniform(seed: int, text: str, subgoal: str) -> float:
    """Returns a number in [0, 1), a hash of an event's text, a subgoal's name and a seed."""
    digest = hashlib.sha256(f"{seed}\n{subgoal}\n{text}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class NoisyStream:
    """Answers about every step of a batch by the truth with errors: an achievement source.

    An observer: `envs.credit.shaping` appends it to `batch.observers`.
    """

    keys = NoisyTruth.keys

    def __init__(self, noise: NoisyTruth, batch: Batch, subgoals: Sequence[Subgoal]) -> None:
        self.subgoals = tuple(subgoals)
        self.noise = noise
        self.truth = TruthStream(batch.task, self.subgoals, batch)
        play = reference(batch.task, self.subgoals, batch.descriptions)
        self._false = noise.false_rates(play)
        self._batch = batch
        n = len(self.subgoals)
        self.achieved: npt.NDArray[np.int8] = np.zeros((batch.n_envs, n), np.int8)
        """(B, G) 1 where the judge takes the last step to have achieved the subgoal, else 0."""
        self.hits, self.misses, self.false_alarms = (np.zeros(n, np.int64) for _ in range(3))
        """(G,) answers so far: true yeses, achievements not seen, false yeses."""
        self.events: EventStream | None = None
        if noise.by == "event":
            self.events = make_event_stream(batch.task, batch)
            mistakes = choose(noise, play, self.subgoals)
            pairs = zip(mistakes.missed, mistakes.invented, strict=True)
            self._mistakes = dict(zip(play.texts, pairs, strict=True))
        self._missed: Bools = np.zeros((0, n), np.bool_)  # by the number of the stream's events
        self._invented: Bools = self._missed

    @property
    def precision(self) -> float | None:
        """Share of the yeses so far that were true; None before the first."""
        yes = int(self.hits.sum() + self.false_alarms.sum())
        return int(self.hits.sum()) / yes if yes else None

    @property
    def recall(self) -> float | None:
        """Share of the achievements so far that were seen; None before the first."""
        there = int(self.hits.sum() + self.misses.sum())
        return int(self.hits.sum()) / there if there else None

    def on_reset(self, rows: Rows) -> None:
        self.truth.on_reset(rows)
        if self.events is not None:
            self.events.on_reset(rows)

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        self.truth.on_step(actions, terminated, truncated)
        if self.events is None:
            draw = self._draws()
            missed, invented = draw < 1 - self.noise.recall, draw < self._false
        else:
            self.events.on_step(actions, terminated, truncated)
            if len(self.events.texts) > len(self._missed):
                self._learn(self.events.texts[len(self._missed) :])
            missed, invented = self._missed[self.events.ids], self._invented[self.events.ids]
        true = self.truth.achieved == 1
        yes = np.where(true, ~missed, invented)
        self.achieved = yes.astype(np.int8)
        if np.count_nonzero(true | yes):
            self.hits += (true & yes).sum(0)
            self.misses += (true & ~yes).sum(0)
            self.false_alarms += (~true & yes).sum(0)

    def _learn(self, texts: Sequence[str]) -> None:
        """Decides how new events are judged, by their texts."""
        missed, invented = [], []
        for text in texts:
            draw = np.array([uniform(self.noise.seed, text, s.name) for s in self.subgoals])
            by_chance = draw < 1 - self.noise.recall, draw < self._false
            one, other = self._mistakes.get(text, by_chance)
            missed.append(one)
            invented.append(other)
        self._missed = np.concatenate([self._missed, missed])
        self._invented = np.concatenate([self._invented, invented])

    def _draws(self) -> Floats:
        """Returns (B, G) numbers in [0, 1), hashes of seed, level, step and subgoal.

        Whoever plays and however often the run was stopped, the same step of a level is judged the
        same.
        """
        x = np.array([[self.noise.seed % 2**64]], np.uint64)
        for part in (
            self._batch.level_seeds.astype(np.uint64)[:, None],
            self._batch.steps.astype(np.uint64)[:, None],
            np.arange(len(self.subgoals), dtype=np.uint64)[None],
        ):
            x = mix(x ^ part)
        return np.asarray((x >> np.uint64(11)) / 2.0**53)
