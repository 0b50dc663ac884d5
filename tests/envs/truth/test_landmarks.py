"""The right branch of Memento by MiniHack's reward (for strips, see the test of events)."""

import pytest

from envs.events.stream import EventStream
from envs.game.goal import LOST, WON
from envs.stepping.batch import Batch
from envs.truth.stream import TruthStream

EAST, SOUTH = 1, 2
MEMENTO = ("MiniHack-Memento-Short-F2-v0", "MiniHack-Memento-F2-v0", "MiniHack-Memento-F4-v0")


@pytest.mark.parametrize("id", MEMENTO)
@pytest.mark.parametrize("branch", [0, 1, 2, 3])
def test_the_branch_that_the_cue_names_is_the_one_that_is_won(id: str, branch: int) -> None:
    """By MiniHack's own reward, on levels of every cue: 1 with the bug, -1 on the board."""
    four = id.endswith("F4-v0")
    if branch > 1 and not four:
        return
    fork = 8 if "Short" in id else 60
    name = f"take the right one of {'four' if four else 'two'} branches"
    n, outcomes = 12, set()
    with Batch(id, n, TruthStream.keys, native=False, descriptions=3) as batch:
        truth, events = TruthStream(id, None, batch), EventStream(id, batch)
        batch.observers += [truth, events]
        batch.reset(range(n))
        column = [s.name for s in truth.subgoals].index(name)
        # East to the fork, up or down to the row of the branch, and along it to its end.
        row = (-3, -1, 1, 3)[branch] if four else (-3, 3)[branch]
        way = [EAST] * (fork - 1) + [0 if row < 0 else SOUTH] * abs(row) + [EAST] * 14
        right: list[bool] = [False] * n
        lines: list[str] = [""] * n
        open_rows = set(range(n))
        for action in way:
            rewards, terminated, _ = batch.step([action] * n)
            for i in open_rows.copy():
                right[i] |= bool(truth.achieved[i, column])
                text = events.texts[int(events.ids[i])]
                lines[i] += "".join(x for x in text.splitlines() if "branches" in x)
                if terminated[i]:
                    open_rows.remove(i)
                    assert (batch.status[i], rewards[i]) == ((WON, 1) if right[i] else (LOST, -1))
                    outcomes.add(right[i])
        assert not open_rows
    assert outcomes == {True, False}
    which = ("first", "second", "third", "fourth")[branch]
    assert all(f"took the {which} of {4 if four else 2} branches" in line for line in lines)
    assert all(line.count("branches") == 1 for line in lines)
