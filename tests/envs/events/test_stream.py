"""The events description: what it says of real play, and what it must never say."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nle import nethack

from calm.errors import UsageError
from envs.collect import play
from envs.events.stream import EventStream
from envs.players.make import make_player
from envs.players.player import KEYS
from envs.stepping.batch import Batch
from envs.tasks import task

GOLDEN = Path(__file__).parent / "golden"


@contextmanager
def watched(task_id: str, n: int, **options: Any) -> Iterator[tuple[Batch, EventStream]]:
    with Batch(task_id, n, (*EventStream.keys, *KEYS), native=False, **options) as batch:
        stream = EventStream(task_id, batch)
        batch.observers.append(stream)
        batch.reset()
        yield batch, stream


def mixed(task_id: str, n: int, steps: int) -> EventStream:
    """The stream after so many steps of n environments."""
    with watched(task_id, n, split="data", seed=2) as (batch, stream):
        names = ["scripted", "sloppy", "random"]
        if "River" in task_id:
            names.remove("sloppy")  # plans anew after every slip, which takes long
        crew = [make_player(names[i % len(names)], task_id) for i in range(n)]
        for i, player in enumerate(crew):
            player.begin(np.random.default_rng(i))
        for step in range(steps // n):
            rows = [{key: batch.arrays[key][i] for key in KEYS} for i in range(n)]
            actions = [p.act(row) for p, row in zip(crew, rows, strict=True)]
            _, terminated, truncated = batch.step(np.array(actions))
            for i in np.flatnonzero(terminated | truncated):
                crew[i].begin(np.random.default_rng([step, i]))
    return stream


GOLDEN_PLAY = {
    "keyroom-s5": ("KeyRoom-S5", "scripted", 1),
    "keyroom-s5-random": ("KeyRoom-S5", "random", 1),
    "keyroom-dark-s5": ("KeyRoom-Dark-S5", "scripted", 1),
    "corridor-r2": ("Corridor-R2", "scripted", 1),
    "river-narrow": ("River-Narrow", "scripted", 1),
    "river-lava-random": ("River-Lava", "random", 3),
    "room-monster": ("Room-Monster-5x5", "scripted", 3),
}


@pytest.mark.parametrize("name", GOLDEN_PLAY)
def test_golden_texts_of_real_play(name: str) -> None:
    """To write them anew after a change that is meant: CALM_WRITE_GOLDEN=1; then read them."""
    task_id, player, episodes = GOLDEN_PLAY[name]
    text_of_event: dict[str, str] = {}
    for step in play(task_id, player, episodes=episodes, seed=4):
        achieved = ", ".join(n for n, yes in step.truth.items() if yes)
        text_of_event.setdefault(step.transition.texts["events"], achieved or "nothing")
    text = "\n\n".join(f"{event}\n=> {truth}" for event, truth in text_of_event.items()) + "\n"
    path = GOLDEN / f"events-{name}.txt"
    if os.environ.get("CALM_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("task_id", "most"),
    [
        ("KeyRoom-S5", 200),
        pytest.param("KeyRoom-S15", 200, marks=[pytest.mark.slow]),
        pytest.param("Corridor-R3", 200, marks=[pytest.mark.slow]),
        ("River", 200),
    ],
)
def test_few_different_texts(task_id: str, most: int) -> None:
    stream = mixed(task(task_id).id, 6, 2400)
    assert len(set(stream.texts)) == len(stream.texts) < most


def test_no_position_no_direction_no_control_bytes() -> None:
    stream = mixed("MiniHack-KeyRoom-S15-v0", 6, 1500)
    for text in stream.texts:
        assert text.startswith("Action: ")
        assert not re.search(r"north|south|east|west|\bleft\b|\bright\b", text), text
        assert re.fullmatch(r"[ -~\n]+", text)
        numbers = re.findall(r"\d+", text)
        assert set(numbers) <= {"8", "4", "2"}, text


def test_text_depends_on_the_transition_alone() -> None:
    """The same game gives the same texts alone and as any row of a batch."""
    runs = []
    for n, row in ((1, 0), (5, 3)):
        with watched("MiniHack-KeyRoom-S5-v0", n) as (batch, stream):
            rng = np.random.default_rng(0)
            batch.reset([11 if i == row else 100 + i for i in range(n)])
            texts = []
            for action in rng.integers(0, 10, 150):
                actions = rng.integers(0, 10, n) * 0 + 2
                actions[row] = action
                batch.step(actions)
                texts.append(stream.texts[stream.ids[row]])
            runs.append(texts)
    assert runs[0] == runs[1]


def test_nothing_after_the_transition_leaks() -> None:
    """Whatever comes next, the text of a step is the same."""
    texts = []
    for last in (0, 9):
        with watched("MiniHack-KeyRoom-S5-v0", 1) as (batch, stream):
            batch.reset([5])
            event_numbers = []
            for action in (1, 2, 8, 9, 3, last):
                batch.step(np.array([action]))
                event_numbers.append(stream.texts[stream.ids[0]])
            texts.append(event_numbers)
    assert texts[0][:-1] == texts[1][:-1]
    assert texts[0][-1] != texts[1][-1]


def test_equal_events_have_equal_ids() -> None:
    with watched("MiniHack-Room-5x5-v0", 3) as (batch, stream):
        batch.reset([1, 2, 3])  # this room is always the same
        batch.step(np.array([1, 1, 1]))
        assert len(set(stream.ids.tolist())) == 1
        batch.step(np.array([1, 0, 1]))
        a, b, c = stream.ids.tolist()
        assert a == c != b


def test_how_an_episode_ends() -> None:
    with watched("MiniHack-Room-5x5-v0", 1) as (batch, stream):
        batch.reset([1])
        for _ in range(4):
            batch.step(np.array([5]))
        assert stream.texts[stream.ids[0]].splitlines()[-2:] == [
            "The hero came onto the staircase down (before: next to the hero).",
            "The episode ended: the hero reached the staircase down, the goal.",
        ]
        for _ in range(100):  # bump into the wall until time is over
            batch.step(np.array([0]))
        assert stream.texts[stream.ids[0]].splitlines()[-1] == ("The episode ended: time ran out.")
    with watched("MiniHack-River-Lava-v0", 1) as (batch, stream):
        batch.reset([3])
        for _ in range(21):
            batch.step(np.array([1]))
        assert stream.texts[stream.ids[0]].splitlines()[-1] == "The episode ended: the hero died."


def test_answer_to_a_question() -> None:
    kick, north = 9, 0
    with watched("MiniHack-Corridor-R2-v0", 1) as (batch, stream):
        batch.reset([1])
        batch.step(np.array([kick]))
        assert 'Message: "In what direction?"' in stream.texts[stream.ids[0]]
        batch.step(np.array([north]))
        first = stream.texts[stream.ids[0]].splitlines()[0]
        assert first == 'Action: move, answering "In what direction?"'


def test_names_are_the_engine_s_or_must_fit_the_actions() -> None:
    options = {"actions": (nethack.CompassDirection.N, nethack.Command.SEARCH)}
    with Batch("MiniHack-Room-5x5-v0", 1, EventStream.keys, options=options, native=False) as batch:
        with pytest.raises(UsageError, match="has 2 actions and MiniHack-Room-5x5-v0 names 1"):
            EventStream(batch.task, batch, ("search",))
        stream = EventStream(batch.task, batch)
        batch.observers.append(stream)
        batch.reset([1])
        batch.step(np.array([1]))
        assert stream.texts[0].startswith("Action: search.\n")
