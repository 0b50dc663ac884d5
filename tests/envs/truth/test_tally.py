"""A tally counts what an episode achieved, more than once too, by the truth and by the judge."""

from dataclasses import replace

import numpy as np
import pytest

from calm.annotation.live import Annotator
from calm.judges import make_judge
from envs import make_vec
from envs.interfaces.sb3_vec import Sb3Vec
from envs.tasks import task
from envs.truth.tally import KEYS, Tally

SOUTHEAST, NORTHWEST = 5, 7
# Room-5x5: from the upper left to the stairs in the lower right, 4 moves; in between once back,
# so that the hero comes within 2 steps twice.
STRAIGHT = [SOUTHEAST] * 4
BACK_AND_FORTH = [SOUTHEAST, SOUTHEAST, NORTHWEST, *STRAIGHT[1:]]


def room(judge: object = None) -> Sb3Vec:
    return make_vec("Room-5x5", 2, kind="sb3", judge=judge, extra_keys=KEYS, workers=0)


def play(env: Sb3Vec, tally: Tally, first: list[int], second: list[int]) -> list:
    """Plays one episode in each of two environments and returns their counts."""
    env.reset()
    left = [list(first), list(second)]
    ended = []
    while any(left):
        rows = [bool(moves) for moves in left]
        actions = np.array([moves.pop(0) if moves else NORTHWEST for moves in left])
        _, _, dones, _ = env.step(actions)
        ended += [tally.of(i) for i in np.flatnonzero(dones) if rows[i]]
    return ended


def times_of(tally: Tally, episodes: list, source: str) -> dict[str, tuple[float, float, float]]:
    return {
        t.subgoal: (t.share, t.times, t.repeats)
        for t in tally.times(episodes)
        if t.source == source
    }


def test_what_is_to_be_done_twice_is_repeated_from_the_third_time_on() -> None:
    env = room()
    twice = [replace(s, times=2) for s in task("Room-5x5").subgoals]
    try:
        tally = Tally(env.batch, None, replace(task("Room-5x5"), subgoals=tuple(twice)))
        once_more = [*BACK_AND_FORTH[:2], NORTHWEST, SOUTHEAST, *BACK_AND_FORTH[2:]]
        episodes = play(env, tally, BACK_AND_FORTH, once_more)
        near = times_of(tally, episodes, "truth")["come within 2 steps of the staircase down"]
        assert near == (1.0, 2.5, 0.5)
    finally:
        env.close()


def test_coming_near_twice_is_one_repeat() -> None:
    env = room()
    try:
        tally = Tally(env.batch, env.episodes.shaping)
        episodes = play(env, tally, STRAIGHT, BACK_AND_FORTH)
        counts = times_of(tally, episodes, "truth")
        assert counts["come within 2 steps of the staircase down"] == (1.0, 1.5, 0.5)
        assert counts["stand next to the staircase down"] == (1.0, 1.0, 0.0)
        assert counts["reach the staircase down"] == (1.0, 1.0, 0.0)
        assert not times_of(tally, episodes, "judge")
        # A new game starts from nothing.
        again = play(env, tally, STRAIGHT, STRAIGHT)
        assert times_of(tally, again, "truth")["come within 2 steps of the staircase down"] == (
            1,
            1,
            0,
        )
    finally:
        env.close()


@pytest.mark.parametrize(("spec", "false"), [("rules", 0.0), ("always-yes", 4.0)])
def test_the_judge_is_counted_beside_the_truth(spec: str, false: float) -> None:
    env = room(Annotator(make_judge(spec), task("Room-5x5")))
    try:
        tally = Tally(env.batch, env.episodes.shaping)
        episodes = play(env, tally, STRAIGHT, BACK_AND_FORTH)
        near = [t for t in tally.times(episodes) if "stand next to" in t.subgoal]
        assert [t.source for t in near] == ["truth", "judge"]
        assert near[0].false is None
        # Always-yes says so at 4 and 6 steps, and the truth but once in each episode.
        assert near[1].false == false
        if spec == "rules":
            assert times_of(tally, episodes, "judge") == times_of(tally, episodes, "truth")
    finally:
        env.close()
