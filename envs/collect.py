"""Play episodes and keep every step: three texts, the truth, where it comes from, the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.errors import UsageError
from calm.records import Transition
from envs.events import screen as describe
from envs.events.stream import EventStream
from envs.players import scripted as players
from envs.stepping.batch import Batch
from envs.tasks import task as find_task
from envs.truth.stream import TruthStream

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """The terminal at one moment, for people to look at; no judge sees it."""

    chars: str
    """24 lines of 80 characters, joined by newlines."""
    colours: str
    """As `chars`, each character replaced by its terminal colour, one hex digit (0 to f)."""


@dataclass(frozen=True, slots=True)
class Played:
    """One step of play."""

    transition: Transition
    """With the texts of all three modes."""
    truth: Mapping[str, bool]
    """By name of the task's given subgoals."""
    provenance: Mapping[str, str | int]
    """`level_seed`, `player`, `versions`, and `split`, `seed`, `number` (of the episode)."""
    before: Picture
    after: Picture


class _Recorder:
    """Holds what was seen at the end of the last step, before an automatic reset."""

    keys = tuple(dict.fromkeys((*describe.KEYS, *players.KEYS, "tty_chars", "tty_colors")))

    def __init__(self, batch: Batch) -> None:
        self._arrays = batch.arrays
        self.first: tuple[describe.Frame, Picture] | None = None
        self.last: tuple[describe.Frame, Picture] | None = None

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        self.first = self._see()

    def on_step(self, actions: Array, terminated: Array, truncated: Array) -> None:
        self.last = self._see()

    def _see(self) -> tuple[describe.Frame, Picture]:
        seen = {key: self._arrays[key][0] for key in self.keys}
        return describe.frame(seen), picture(seen["tty_chars"], seen["tty_colors"])


def picture(chars: Array, colours: Array) -> Picture:
    """The terminal from nle's `tty_chars` and `tty_colors`; what isn't printable ASCII is blank."""
    return Picture(
        "\n".join("".join(chr(c) if 32 <= c < 127 else " " for c in row) for row in chars.tolist()),
        "\n".join("".join(f"{c & 15:x}" for c in row) for row in colours.tolist()),
    )


def versions() -> str:
    """The versions that decide what a game looks like: "nle 1.3.0, minihack 1.0.2"."""
    return ", ".join(f"{name} {version(name)}" for name in ("nle", "minihack"))


def play(
    task: str,
    player: str | players.Player | Sequence[str | players.Player] = "scripted",
    *,
    episodes: int = 1,
    split: str = "data",
    seed: int = 0,
) -> Iterator[Played]:
    """Every step of so many episodes, one after the other.

    The same arguments give the same steps: levels come from the first stream of `split` and
    `seed`, the players' chance from `seed` and the episode's number.

    Args:
        task: id, short or whole.
        player: a player, or the name of one in `envs.players.scripted.PLAYERS`; or several that
        take turns. episodes: how many, each to its end.
        split: `data` for transitions that are kept or shown to a judge.
        seed: of the levels and of the players' chance.

    Raises:
        UsageError: unknown task, player or split, no episodes.
    """
    known = find_task(task)
    if isinstance(player, str) or not isinstance(player, Sequence):
        player = (player,)
    turns = tuple(player)
    if episodes < 1 or not turns:
        raise UsageError(f"play needs episodes and a player, got {episodes} and {turns}")
    made = [players.make_player(p, known.id) if isinstance(p, str) else p for p in turns]
    crew = [(p.name, p) for p in made]
    return _play(known.id, crew, episodes, split, seed)


def _play(
    task_id: str, crew: list[tuple[str, players.Player]], episodes: int, split: str, seed: int
) -> Iterator[Played]:
    known = find_task(task_id)
    keys = dict.fromkeys((*_Recorder.keys, *EventStream.keys, *TruthStream.keys))
    with Batch(task_id, 1, tuple(keys), split=split, seed=seed, native=False) as batch:
        events, truth = EventStream(task_id, batch), TruthStream(task_id, None, batch)
        recorder = _Recorder(batch)
        batch.observers += [events, truth, recorder]
        batch.reset()
        for number in range(episodes):
            name, player = crew[number % len(crew)]
            player.begin(np.random.default_rng([seed, number]))
            level_seed = int(batch.level_seeds[0])
            provenance: dict[str, str | int] = {
                "level_seed": level_seed,
                "player": name,
                "versions": versions(),
                "split": split,
                "seed": seed,
                "number": number,
            }
            before = recorder.first
            step, ended = 0, False
            while not ended:
                action = player.act({key: batch.arrays[key][0] for key in players.KEYS})
                _, terminated, truncated = batch.step(np.array([action]))
                after = recorder.last
                assert before is not None
                assert after is not None
                ended = bool(terminated[0] or truncated[0])
                text = events.texts[int(events.ids[0])]
                end = text.splitlines()[-1] if ended else ""
                english = known.actions[action]
                texts = {
                    "screen": describe.describe("screen", before[0], after[0], english, end),
                    "crop": describe.describe("crop", before[0], after[0], english, end),
                    "events": text,
                }
                yield Played(
                    Transition(
                        task=task_id,
                        texts=texts,
                        action=english,
                        episode=f"{name}-{level_seed}",
                        step=step,
                        terminated=bool(terminated[0]),
                        truncated=bool(truncated[0]),
                    ),
                    {
                        s.name: bool(a)
                        for s, a in zip(truth.subgoals, truth.achieved[0], strict=True)
                    },
                    provenance,
                    before[1],
                    after[1],
                )
                before, step = after, step + 1
