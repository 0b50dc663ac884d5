"""Plays the skill tasks and keeps every step, as `envs.collect.play` does for other tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from calm.records import Transition
from envs.collect import Picture, Played, versions
from envs.events import screen as describe
from envs.events.stream import EventStream
from envs.skills.skills import Skill, SkillPlayer, SkillTruth
from envs.stepping.batch import Batch

Array = npt.NDArray[Any]

SLOPPY = {"scripted": 0.0, "sloppy": 0.3, "random": 1.0}
"""How often each player does anything at all."""


class _Eye:
    """What was seen at the end of the last step, before an automatic reset."""

    keys: tuple[str, ...] = (*describe.KEYS, "tty_chars", "tty_colors")

    def __init__(self, batch: Batch) -> None:
        self._arrays = batch.arrays
        self.now: tuple[describe.Frame, Picture] | None = None
        self.last: tuple[describe.Frame, Picture] | None = None

    def on_reset(self, rows: npt.NDArray[np.intp]) -> None:
        self.now = self._see()

    def on_step(self, actions: Array, terminated: Array, truncated: Array) -> None:
        self.last = self.now = self._see()

    def _see(self) -> tuple[describe.Frame, Picture]:
        seen = {key: self._arrays[key][0] for key in self.keys}
        chars, colours = seen["tty_chars"].tolist(), seen["tty_colors"].tolist()
        picture = Picture(
            "\n".join("".join(chr(c) if 32 <= c < 127 else " " for c in row) for row in chars),
            "\n".join("".join(f"{c & 15:x}" for c in row) for row in colours),
        )
        return describe.frame(seen), picture


def play_skill(skill: Skill, player: str, *, episodes: int, seed: int) -> Iterator[Played]:
    """Every step of so many episodes on `data` levels; the same arguments give the same steps."""
    task = skill.task
    keys = dict.fromkeys((*_Eye.keys, *SkillPlayer.keys, *SkillTruth.keys, *EventStream.keys))
    with Batch(task.id, 1, tuple(keys), split="data", seed=seed, native=False) as batch:
        events = EventStream(task.id, batch, task.actions)
        truth, eye = SkillTruth(skill, batch), _Eye(batch)
        batch.observers += [events, truth, eye]
        batch.reset()
        actor = SkillPlayer(skill, SLOPPY[player])
        for number in range(episodes):
            actor.begin(np.random.default_rng([seed, number]))
            level_seed = int(batch.level_seeds[0])
            provenance: dict[str, str | int] = {
                "level_seed": level_seed,
                "player": actor.name,
                "versions": versions(),
                "split": "data",
                "seed": seed,
                "number": number,
            }
            step, ended = 0, False
            while not ended:
                assert eye.now is not None
                before = eye.now
                action = actor.act({key: batch.arrays[key][0] for key in SkillPlayer.keys})
                _, terminated, truncated = batch.step(np.array([action]))
                assert eye.last is not None
                after, ended = eye.last, bool(terminated[0] or truncated[0])
                text = events.texts[int(events.ids[0])]
                end = text.splitlines()[-1] if ended else ""
                english = task.actions[action]
                yield Played(
                    Transition(
                        task.id,
                        {
                            "screen": describe.describe(
                                "screen", before[0], after[0], english, end
                            ),
                            "crop": describe.describe("crop", before[0], after[0], english, end),
                            "events": text,
                        },
                        english,
                        f"{actor.name}-{level_seed}",
                        step,
                        bool(terminated[0]),
                        bool(truncated[0]),
                    ),
                    {
                        s.name: bool(a)
                        for s, a in zip(task.subgoals, truth.achieved[0], strict=True)
                    },
                    provenance,
                    before[1],
                    after[1],
                )
                step += 1
