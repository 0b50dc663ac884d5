"""Landmarks beside their truth, and by hand: strips of lava in drawn maps, branches of Memento."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.events.landmarks import ANIMALS, Strips, landmark_words, landmarks_of
from envs.events.signature import CAGED, LANDMARK, WIDTH
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.stepping.batch import Batch
from envs.tasks import task
from envs.truth.landmarks import CrossedStrips
from tests.support.drawn import CMAP, Drawn


def crossed(maps: list[str]) -> tuple[list[int], list[int]]:
    """Numbers of the steps that cross a strip, from 1 on: as events tell it, and by the truth."""
    drawn = Drawn()
    drawn.show(maps[0])
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    strips, truth = Strips(drawn.arrays), CrossedStrips(1)
    strips.on_reset(np.arange(1))
    truth.begin(np.arange(1), glyphs, blstats)
    events, true = [], []
    for step, drawing in enumerate(maps[1:], start=1):
        drawn.show(drawing)
        signatures = np.zeros((1, WIDTH), np.uint8)
        strips.on_step(signatures)
        events += [step] * int(signatures[0, LANDMARK])
        true += [step] * int(truth.step(glyphs, blstats)[0])
    return events, true


LEVEL = "|||||||/|..L..|/|..L..|/|LLLLL|/|..L..|/|..L..|/|||||||"
"""Two strips; where the hero stands has no lava: those cells are the gaps."""


def with_hero(x: int, y: int) -> str:
    """`LEVEL` with the gaps (2, 3) and (3, 2) open, and the hero at a cell of it."""
    rows = [list(line) for line in LEVEL.split("/")]
    rows[2][3] = rows[3][1] = "."
    rows[y][x] = "@"
    return "/".join("".join(row) for row in rows)


def test_a_strip_is_crossed_beyond_its_gap_and_once_in_an_episode() -> None:
    way = [(1, 1), (2, 2), (3, 2), (4, 2), (3, 2), (2, 2), (3, 2), (4, 1)]
    assert crossed([with_hero(*at) for at in way]) == ([3], [3])
    way = [(1, 1), (1, 2), (1, 3), (1, 4), (1, 3), (2, 2), (3, 2), (4, 2), (2, 2), (1, 3), (1, 4)]
    # South of one strip after 3 steps; east of the other alone at 7 is no more than that.
    assert crossed([with_hero(*at) for at in way]) == ([3], [3])


def test_no_lava_is_no_strip() -> None:
    level = ["|||||/|@..|/|...|/|||||", "|||||/|.@.|/|...|/|||||", "|||||/|...|/|..@|/|||||"]
    assert crossed(level) == ([], [])


def walled(inside: np.ndarray, y: int, x: int) -> str:
    """A drawing of cells between walls, with the hero at one of them."""
    cells = inside.copy()
    cells[y, x] = "@"
    wall = "|" * (len(cells) + 2)
    return "/".join([wall, *(f"|{''.join(row)}|" for row in cells), wall])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3]))
def test_events_and_truth_agree_wherever_the_hero_goes(seed: int, count: int) -> None:
    """A hero that is anywhere in a square of 7 cells with straight strips, as minigrid draws it."""
    rng = np.random.default_rng(seed)
    size = 7
    inside = np.full((size, size), ".")
    lines = rng.choice([(axis, at) for axis in (0, 1) for at in (1, 3, 5)], count, replace=False)
    for axis, at in lines:
        inside[(slice(None), at) if axis else (at, slice(None))] = "L"
    for axis, at in lines:
        gap = rng.choice([0, 2, 4, 6])
        inside[(gap, at) if axis else (at, gap)] = "."
    cells = [(0, 0), *rng.integers(size, size=(7, 2)).tolist()]
    events, true = crossed([walled(inside, *cell) for cell in cells])
    assert events == true


@pytest.mark.parametrize(
    ("name", "strips"),
    [("S9N1", 1), ("S9N2", 2), ("S9N3", 3), ("S11N5", 5), ("S19N13", 13), ("S19N17", 16)],
)
def test_as_many_strips_as_the_subgoal_counts(name: str, strips: int) -> None:
    """From the northwest to the southeast of every level all are crossed."""
    id = f"MiniHack-LavaCrossing{name}-v0"
    with Batch(id, 7, ("glyphs", "blstats")) as batch:
        batch.reset()
        arrays = {key: array.copy() for key, array in batch.arrays.items()}
    landmarks, truth = Strips(arrays), CrossedStrips(7)
    landmarks.on_reset(np.arange(7))
    truth.begin(np.arange(7), arrays["glyphs"], arrays["blstats"])
    signatures = np.zeros((7, WIDTH), np.uint8)
    floor = np.argwhere(arrays["glyphs"][0] == CMAP + 19)
    arrays["blstats"][:, [1, 0]] = floor.max(0)
    landmarks.on_step(signatures)
    assert (signatures[:, LANDMARK] == 1).all()
    assert truth.step(arrays["glyphs"], arrays["blstats"]).all()
    assert (landmarks._crossed == strips).all()
    assert (truth._most == strips).all()
    counted = {s.name: s.times for s in task(id).subgoals}
    assert counted["cross a strip of lava"] == strips


def test_words_of_landmarks() -> None:
    row = np.zeros(WIDTH, np.uint8)
    assert landmark_words(row) == []
    row[LANDMARK] = 1
    assert landmark_words(row) == ["The hero crossed a strip of lava."]
    row[LANDMARK], row[CAGED] = 3, 1 << ANIMALS.index("lichen")
    assert landmark_words(row) == [
        "The hero took the second of 2 branches, counted from the north. Caged at the start: a"
        " lichen."
    ]
    row[LANDMARK], row[CAGED] = 7, 0b10010
    assert landmark_words(row) == [
        "The hero took the fourth of 4 branches, counted from the north. Caged at the start: a"
        " spotted jelly and a green mold."
    ]


def test_other_tasks_have_no_landmarks() -> None:
    drawn = Drawn()
    assert landmarks_of("MiniHack-River-Lava-v0", drawn.arrays) is None
    assert landmarks_of("MiniHack-MultiRoom-N4-Lava-v0", drawn.arrays) is None


@pytest.mark.parametrize("id", ["MiniHack-LavaCrossingS9N2-v0", "MiniHack-Memento-Short-F2-v0"])
def test_the_compiled_stream_tells_the_same(id: str) -> None:
    texts = []
    for make in (EventStream, make_event_stream):
        rng = np.random.default_rng(3)
        with Batch(id, 5, EventStream.keys, seed=2, workers=1) as batch:
            stream = make(id, batch)
            batch.observers.append(stream)
            batch.reset()
            of_stream = []
            for _ in range(400):
                batch.step(rng.choice([1, 1, 2, 2, 0, 3, 4, 5], size=5))
                of_stream += [stream.texts[i] for i in stream.ids.tolist()]
            texts.append(of_stream)
    assert texts[0] == texts[1]
    assert any("strip" in text or "branches" in text for text in texts[0])
