"""Draws the rows of a labelled set from played steps, by generators whose seeds are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calm.errors import CalmError
from calm.records import LabelledTransition, Subgoal, Task
from envs.collect import play

EPISODES = 400
"""Most episodes played for one quota; none needs so many."""


def steps(task: str, player: str | tuple[str, ...], seed: int) -> Iterator[LabelledTransition]:
    """Yields the steps of up to `EPISODES` episodes of a task on levels of the split `data`.

    They hold no rewards.

    Args:
        task: id.
        player: by name; several take turns.
        seed: of the levels and of the players' chance.
    """
    for row in play(task, player, episodes=EPISODES, split="data", seed=seed):
        # keyroom-v1 and minihack-v1 hold no rewards: they were made before steps had any.
        known = {name: value for name, value in row.provenance.items() if name != "reward"}
        yield replace(row, provenance=known)


def episodes(rows: Iterable[LabelledTransition]) -> Iterator[list[LabelledTransition]]:
    """Yields the rows of each episode; a new one starts at step 0."""
    episode: list[LabelledTransition] = []
    for row in rows:
        if row.transition.step == 0 and episode:
            yield episode
            episode = []
        episode.append(row)
    yield episode


class Picker:
    """Draws rows for a set from played steps, each content once.

    The methods return the rows that they pick. Those with a quota raise CalmError where too few
    were played.

    Args:
        seed: of the draws.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._picked: set[str] = set()  # ids

    def one_an_episode(
        self,
        rows: Iterator[LabelledTransition],
        of_kind: Callable[[LabelledTransition], bool],
        quota: int,
    ) -> list[LabelledTransition]:
        """Picks one row of a kind from each episode, drawn evenly, until there are `quota`."""
        picked: list[LabelledTransition] = []
        for episode in episodes(rows):
            fresh = [r for r in episode if of_kind(r) and r.transition.id not in self._picked]
            if fresh:
                picked.append(self._pick(fresh[int(self._rng.integers(len(fresh)))]))
            if len(picked) == quota:
                return picked
        raise CalmError(f"only {len(picked)} of {quota} rows in {EPISODES} episodes")

    def sample(
        self, rows: Iterator[LabelledTransition], each: int, quota: int
    ) -> list[LabelledTransition]:
        """Picks at most `each` rows of an episode, drawn evenly, in order, until `quota`."""
        picked: list[LabelledTransition] = []
        for episode in episodes(rows):
            n = min(each, len(episode))
            for i in sorted(self._rng.choice(len(episode), n, replace=False)):
                row = episode[i]
                if row.transition.id not in self._picked and len(picked) < quota:
                    picked.append(self._pick(row))
            if len(picked) == quota:
                return picked
        raise CalmError(f"only {len(picked)} of {quota} rows in {EPISODES} episodes")

    def first_of_each(
        self, rows: Iterable[LabelledTransition], names: Iterable[str], most: int
    ) -> list[LabelledTransition]:
        """Picks the first rows that achieve each subgoal in `names`, at most `most` of each."""
        missing = dict.fromkeys(names, most)
        picked: list[LabelledTransition] = []
        for row in rows:
            useful = any(row.truth[n] and missing[n] for n in missing)
            if useful and row.transition.id not in self._picked:
                for name in missing:
                    missing[name] -= row.truth[name] and missing[name] > 0
                picked.append(self._pick(row))
        return picked

    def idle(self, rows: Iterable[LabelledTransition], quota: int) -> list[LabelledTransition]:
        """Picks `quota` rows that achieve nothing, drawn evenly, in order."""
        idle = {r.transition.id: r for r in rows if not any(r.truth.values())}
        fresh = [r for id, r in idle.items() if id not in self._picked]
        if len(fresh) < quota:
            raise CalmError(f"only {len(fresh)} of {quota} rows that achieve nothing")
        places = self._rng.choice(len(fresh), quota, replace=False)
        return [self._pick(fresh[i]) for i in sorted(places)]

    def evenly(self, rows: Sequence[LabelledTransition], quota: int) -> list[LabelledTransition]:
        """Picks at most `quota` rows, drawn evenly, in order, whatever they achieve."""
        fresh = [r for r in _by_id(rows) if r.transition.id not in self._picked]
        places = self._rng.choice(len(fresh), min(quota, len(fresh)), replace=False)
        return [self._pick(fresh[i]) for i in sorted(places)]

    def different_idle(
        self, rows: Iterable[LabelledTransition], most: int
    ) -> list[LabelledTransition]:
        """Picks at most `most` rows that achieve nothing, of as many different `events` texts."""
        texts: dict[str, LabelledTransition] = {}
        for row in rows:
            if not any(row.truth.values()) and row.transition.id not in self._picked:
                texts.setdefault(row.transition.texts["events"], row)
        return self.evenly(list(texts.values()), most)

    def near_misses(
        self, rows: Sequence[LabelledTransition], subgoal: Subgoal, most: int
    ) -> list[LabelledTransition]:
        """Picks rows that do not achieve a subgoal and read most like those that do.

        How alike two `events` texts are is the share of their words that both have. Each text comes
        once, the most alike first.

        Args:
            rows: to pick from.
            subgoal: where no row achieves it, its definition takes their place.
            most: how many rows are picked at most.
        """
        hits = {r.transition.texts["events"] for r in rows if r.truth[subgoal.name]}
        models = [set(text.split()) for text in sorted(hits) or (subgoal.definition,)]
        likeness: dict[str, float] = {}
        misses: dict[str, LabelledTransition] = {}
        for row in rows:
            text = row.transition.texts["events"]
            if text in hits or text in misses or row.transition.id in self._picked:
                continue
            words = set(text.split())
            likeness[text] = max(len(words & model) / len(words | model) for model in models)
            misses[text] = row
        return [self._pick(misses[t]) for t in sorted(misses, key=lambda t: -likeness[t])[:most]]

    def _pick(self, row: LabelledTransition) -> LabelledTransition:
        self._picked.add(row.transition.id)
        return row


def _by_id(rows: Iterable[LabelledTransition]) -> list[LabelledTransition]:
    """Returns the first row of each content, in order."""
    first: dict[str, LabelledTransition] = {}
    for row in rows:
        first.setdefault(row.transition.id, row)
    return list(first.values())


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a set: its rows, and the tasks with the subgoals that judges are asked about."""

    rows: list[LabelledTransition]
    """In the order in which they are written."""
    tasks: Mapping[str, Task]
    """By id, the tasks of the rows."""
