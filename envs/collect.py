"""Plays episodes and returns every step: three texts, the truth, its provenance, the screens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import LabelledTransition, Screen, Task, Transition
from envs.events import screen
from envs.events.stream import EventStream
from envs.events.words import PRINTABLE, check_version
from envs.observer import Actions, Bools, Rows
from envs.players.make import make_player
from envs.players.player import KEYS as PLAYER_KEYS
from envs.players.player import Player
from envs.stepping.batch import Batch
from envs.tasks import environment_of
from envs.tasks import task as find_task
from envs.truth.make import KEYS as TRUTH_KEYS
from envs.truth.make import make_truth

Array = npt.NDArray[Any]


class _Recorder:
    """Observes a batch of one: its state after the last step and after the last reset.

    The first is taken before an automatic reset. Each is (what a player sees, the terminal).
    """

    keys = tuple(dict.fromkeys((*screen.KEYS, *PLAYER_KEYS, "tty_chars", "tty_colors")))

    def __init__(self, batch: Batch) -> None:
        self._arrays = batch.arrays
        self.first: tuple[screen.Frame, Screen] | None = None
        self.last: tuple[screen.Frame, Screen] | None = None

    def on_reset(self, rows: Rows) -> None:
        self.first = self._look()

    def on_step(self, actions: Actions, terminated: Bools, truncated: Bools) -> None:
        self.last = self._look()

    def _look(self) -> tuple[screen.Frame, Screen]:
        row = {key: self._arrays[key][0] for key in self.keys}
        return screen.frame(row), screen_of(row["tty_chars"], row["tty_colors"])


def screen_of(chars: Array, colours: Array) -> Screen:
    """Returns the terminal of nle's `tty_chars` and `tty_colors`; blank where not printable."""
    return Screen(_lines(chars, PRINTABLE), _lines(colours, _HEX_DIGIT))


_HEX_DIGIT = bytes(ord(f"{code & 15:x}") for code in range(256))
"""A table for `bytes.translate`: the digit of a colour."""


def _lines(cells: Array, table: bytes) -> str:
    """Returns cells (H, W) of one byte each as H lines of characters, by a table of all bytes."""
    return "\n".join(row.tobytes().translate(table).decode("ascii") for row in cells)


def versions() -> str:
    """Returns the versions that decide what a game looks like: "nle 1.3.0, minihack 1.0.2"."""
    return ", ".join(f"{name} {version(name)}" for name in ("nle", "minihack"))


def play(
    task: str | Task,
    player: str | Player | Sequence[str | Player] = "scripted",
    *,
    episodes: int = 1,
    first: int = 0,
    split: str = "data",
    seed: int = 0,
    descriptions: int = 1,
) -> Iterator[LabelledTransition]:
    """Yields every step of so many episodes, one after the other.

    The same arguments give the same steps: levels come from the first stream of `split` and
    `seed`, the players' chance from `seed` and the episode's number. The truth of a step holds
    those of the task's given subgoals whose truth is known; its provenance is `level_seed`,
    `player`, `versions`, `split`, `seed`, `number` (of the episode) and `reward` (the
    environment's own, MiniHack's penalty for idle steps included, as text); its screens are 24
    lines of 80 characters.

    Args:
        task: a task of `envs.tasks`, or its id, short or whole, or its file.
        player: a player, or the name of one that `envs.players.make` knows; or several that take
            turns.
        episodes: how many, each to its end.
        first: number of the first one; those before it are passed over, not played.
        split: of the levels; `data` for transitions that are stored or shown to a judge.
        seed: of the levels and of the players' chance.
        descriptions: version of the `events` text, see `envs.events.words.VERSIONS`; one that is
            not the first is told in the provenance.

    Raises:
        UsageError: unknown task, player, split or version, no episodes.
    """
    known = find_task(task) if isinstance(task, str) else task
    if isinstance(player, str) or not isinstance(player, Sequence):
        player = (player,)
    turns = tuple(player)
    if episodes < 1 or not turns:
        raise UsageError(f"play needs episodes and a player, got {episodes} and {turns}")
    if first < 0:
        raise UsageError(f"episodes are numbered from 0, got {first}")
    check_version(descriptions)
    crew = [make_player(p, known) if isinstance(p, str) else p for p in turns]
    return _play(known, crew, range(first, first + episodes), split, seed, descriptions)


def _play(
    task: Task,
    crew: Sequence[Player],
    numbers: range,
    split: str,
    seed: int,
    descriptions: int,
) -> Iterator[LabelledTransition]:
    keys = tuple(dict.fromkeys((*_Recorder.keys, *EventStream.keys, *TRUTH_KEYS)))
    environment, options = environment_of(task)
    with Batch(
        environment,
        1,
        keys,
        split=split,
        seed=seed,
        options=options,
        native=False,
        descriptions=descriptions,
    ) as batch:
        events, truth = EventStream(task.id, batch, task.actions), make_truth(task, batch)
        recorder = _Recorder(batch)
        batch.observers += [events, truth, recorder]
        if numbers.start:
            batch.reseed(split, seed, [numbers.start])
        batch.reset()
        for number in numbers:
            player = crew[number % len(crew)]
            player.begin(np.random.default_rng([seed, number]))
            level_seed = int(batch.level_seeds[0])
            provenance: dict[str, str | int] = {
                "level_seed": level_seed,
                "player": player.name,
                "versions": versions(),
                "split": split,
                "seed": seed,
                "number": number,
            }
            if descriptions != 1:
                provenance["descriptions"] = descriptions
            before = recorder.first
            step, ended = 0, False
            while not ended:
                action = player.act({key: batch.arrays[key][0] for key in PLAYER_KEYS})
                reward, terminated, truncated = batch.step(np.array([action]))
                after = recorder.last
                assert before is not None
                assert after is not None
                ended = bool(terminated[0] or truncated[0])
                text = events.texts[int(events.ids[0])]
                end = text.splitlines()[-1] if ended else ""
                english = task.actions[action]
                texts = {
                    "screen": screen.describe("screen", before[0], after[0], english, end),
                    "crop": screen.describe("crop", before[0], after[0], english, end),
                    "events": text,
                }
                achieved = zip(truth.subgoals, truth.achieved[0], strict=True)
                yield LabelledTransition(
                    Transition(
                        task=task.id,
                        texts=texts,
                        action=english,
                        episode=f"{player.name}-{level_seed}",
                        step=step,
                        terminated=bool(terminated[0]),
                        truncated=bool(truncated[0]),
                    ),
                    {subgoal.name: bool(yes) for subgoal, yes in achieved},
                    provenance | {"reward": f"{reward[0]:.6g}"},
                    before[1],
                    after[1],
                )
                before, step = after, step + 1
