"""What both sights, the plain and the native, see in maps drawn by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from envs.events.sight import Sight
from envs.events.signature import CROSSED, FLAGS
from envs.native.build import built
from envs.native.sight import NativeSight
from tests.support.drawn import CMAP, CROSSINGS, HERO, SYMBOLS, Drawn


def native(drawn: Drawn, kinds: np.ndarray) -> Sight:
    stepper = built()
    assert stepper is not None
    return NativeSight(drawn, kinds, stepper)


@pytest.mark.parametrize("make", [Sight, native])
@pytest.mark.parametrize("what", CROSSINGS)
def test_crossings(make: Callable[[Drawn, np.ndarray], Sight], what: str) -> None:
    maps, expected = CROSSINGS[what]
    drawn, none = Drawn(), np.zeros(1, np.bool_)
    sight = make(drawn, np.zeros(1, np.uint8))
    for _ in range(2):  # nothing is carried over into the next episode
        drawn.show(maps[0])
        sight.on_reset(np.arange(1))
        signatures = []
        for step, drawing in enumerate(maps[1:], start=1):
            drawn.show(drawing)
            sight.on_step(np.zeros(1, np.int64), none, none)
            if sight.signatures[0, FLAGS] & CROSSED:
                signatures.append(step)
        assert signatures == expected


@pytest.mark.parametrize("n", [3, 4])
def test_both_see_the_same_on_maps_of_any_kind(n: int) -> None:
    """Ground, water, lava, boulders and monsters strewn anywhere, changing as the hero leaps."""
    rng = np.random.default_rng(n)
    kinds = np.array([SYMBOLS[s] for s in "   ...WL0m"], np.int16)
    drawn, none = Drawn(n), np.zeros(n, np.bool_)
    plain, fast = (make(drawn, np.zeros(1, np.uint8)) for make in (Sight, native))
    glyphs, blstats = drawn.arrays["glyphs"], drawn.arrays["blstats"]
    level = np.full_like(glyphs, CMAP)
    blstats[:, 10] = 9
    crossed = 0
    for step in range(600):
        changed = rng.random((n, 9, 9)) < (1 if step % 60 == 0 else 0.05)
        level[:, 2:11, 2:11][changed] = rng.choice(kinds, changed.sum())
        leap = rng.integers(2, 11, size=(n, 2))
        walk = np.clip(blstats[:, 1::-1] + rng.integers(-1, 2, size=(n, 2)), 2, 10)
        at = np.where(rng.random((n, 1)) < 0.1, leap, walk)
        blstats[:, 1::-1] = at
        glyphs[:] = level
        glyphs[np.arange(n), at[:, 0], at[:, 1]] = HERO
        for sight in (plain, fast):
            if step % 60 == 0:
                sight.on_reset(np.arange(n))
            else:
                sight.on_step(np.zeros(n, np.int64), none, none)
        assert np.array_equal(plain.signatures, fast.signatures), f"step {step}"
        crossed += np.count_nonzero(plain.signatures[:, FLAGS] & CROSSED)
    assert crossed > 50
