"""What a signature leaves out because another column explains it, and how episodes end in it."""

import numpy as np
import pytest

from envs.events import signature
from envs.events.tables import ABSENT, AWAY, FAR, LOST, NEXT_TO, NO_CHANGE, STATE, WITHIN_8
from envs.game.glyphs import CARRIED_KEY, THING

CLOSED, OPEN, BOULDER, KEY = (
    THING[name] for name in ("closed door", "open door", "boulder", "key")
)


def row(flags: int = 0) -> np.ndarray:
    """A signature in which a closed door, an open door, a boulder and a key went out of view."""
    values = np.zeros(signature.WIDTH, np.uint8)
    values[signature.FLAGS] = flags
    values[[CLOSED, OPEN, BOULDER, KEY]] = LOST
    return values


@pytest.mark.parametrize(
    ("flag", "cleared"), [(signature.OPENED, [CLOSED, OPEN]), (signature.PUSHED, [BOULDER])]
)
def test_a_deed_explains_what_it_changes_on_the_map(flag: int, cleared: list[int]) -> None:
    values = row(flag)
    signature.drop_what_follows(values, np.zeros(16, np.uint8))
    assert (values[cleared] == NO_CHANGE).all()
    others = sorted({CLOSED, OPEN, BOULDER, KEY} - set(cleared))
    assert (values[others] == LOST).all()


def test_a_key_that_was_taken_says_how_near_the_door_is() -> None:
    values, levels = row(), np.zeros(16, np.uint8)
    values[signature.ENTERED.start] = 1 << CARRIED_KEY
    levels[CLOSED] = NEXT_TO
    signature.drop_what_follows(values, levels)
    assert values[KEY] == NO_CHANGE  # it is in the inventory, not lost
    assert values[CLOSED] == STATE + NEXT_TO


@pytest.mark.parametrize(
    ("terminated", "alive", "under", "end"),
    [
        (False, True, 0, signature.OUT_OF_TIME),
        (True, True, THING["staircase down"], signature.ON_STAIRS),
        (True, True, 0, signature.OTHER_END),
        (True, False, 0, signature.DIED),
    ],
)
def test_an_end_is_one_number(terminated: bool, alive: bool, under: int, end: int) -> None:
    values = row(signature.MOVED)
    values[signature.ACTION] = 3
    signature.set_end(values, terminated, alive, under)
    assert values[signature.END] == end
    assert values[signature.ACTION] == 3
    assert bool(values[signature.FLAGS]) == alive  # a dead hero's screen is blank


def test_asides_are_what_no_given_subgoal_asks_about() -> None:
    full = np.zeros(signature.WIDTH, np.uint8)
    full[THING["lava"]], full[THING["monster"]] = AWAY, LOST
    full[THING["open door"]] = 8 * ABSENT + FAR
    full[THING["key"]] = 8 * FAR + WITHIN_8
    full[signature.HP], full[signature.BURDEN], full[signature.HUNGER] = 1, 2, 3
    full[signature.FLAGS], full[signature.END] = signature.WITH_KEY, signature.OUT_OF_TIME
    left = signature.without_asides(full)
    assert np.flatnonzero(left).tolist() == [THING["key"], signature.HUNGER]
    assert np.count_nonzero(full) == 9  # as it was
    full[signature.HP] = 2
    assert signature.without_asides(full)[signature.HP] == 2
    full[CLOSED] = 8 * FAR + WITHIN_8  # now it matters that the key is carried
    assert signature.without_asides(full)[signature.FLAGS] == signature.WITH_KEY
    full[signature.END] = signature.DIED
    assert signature.without_asides(full)[signature.END] == signature.DIED
