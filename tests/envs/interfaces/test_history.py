"""Windows hold an episode's last steps, oldest first, and nothing of another episode."""

import numpy as np
import pytest

from calm.errors import UsageError
from envs import make, make_vec
from envs.game.glyphs import GROUPS, group_of
from envs.interfaces.history import in_sight

TASK = "KeyRoom-S5"


def test_glyphs_belong_to_their_groups() -> None:
    names = [name for name, _ in GROUPS]
    first_and_last = {
        "monsters": (0, 380),
        "objects": (1906, 2358),
        "dungeon features": (2360, 2445),
    }
    for name, ends in first_and_last.items():
        assert group_of(np.array(ends)).tolist() == [names.index(name)] * 2
    assert group_of(np.array([2359, 5976])).tolist() == [13, 13]  # stone, beyond the map


def test_what_is_in_sight_is_counted_by_group() -> None:
    crops = np.full((2, 3, 5), 2359, np.int16)
    crops[1, 0, :3] = 5976
    crops[1, 1, :2], crops[1, 2, 4] = 2378, 333
    observation = in_sight(crops)
    assert observation.shape == (2, 13)
    assert not observation[0].any()
    assert observation[1, 7] == pytest.approx(np.log(3))
    assert observation[1, 0] == pytest.approx(np.log(2))


@pytest.mark.parametrize("judge", [None, "truth"])
def test_a_window_is_the_last_observations_of_its_own_episode(judge: str | None) -> None:
    length, n = 3, 4
    env = make_vec(TASK, n, window=length, judge=judge, keys=("glyphs_crop",), seed=2, workers=0)
    rng = np.random.default_rng(0)
    subgoals = 0 if judge is None else len(env.episodes.shaping.subgoals)
    try:
        observation, _ = env.reset()
        assert all(env.observation_space[key].contains(value) for key, value in observation.items())
        past = [[observation["glyphs_crop"][i]] for i in range(n)]
        answers: list[list[np.ndarray]] = [[np.zeros(subgoals)] for _ in range(n)]
        ends = 0
        for _ in range(420):  # KeyRoom-S5 ends by itself after 200 steps at most
            observation, _, terminated, truncated, infos = env.step(rng.integers(0, 8, n))
            for i in range(n):
                if terminated[i] or truncated[i]:
                    ends += 1
                    last = infos["final_obs"][i]
                    assert (last["window_crop"][-1] == last["glyphs_crop"]).all()
                    assert (last["window_crop"][-2] == past[i][-1]).all()
                    past[i], answers[i] = [], []
                past[i].append(observation["glyphs_crop"][i])
                if judge:
                    achieved = env.episodes.shaping.source.achieved[i]
                    answers[i].append(np.zeros(subgoals) if len(past[i]) == 1 else achieved.copy())
                real = min(length, len(past[i]))
                assert observation["window_valid"][i].tolist() == [0] * (length - real) + [1] * real
                assert (observation["window_crop"][i, -real:] == past[i][-real:]).all()
                sight = observation["semantics"][i, subgoals:]
                assert (sight[:, -1] == in_sight(past[i][-1][None])[0]).all()
                if judge:
                    assert (
                        answers[i][-real:] == observation["semantics"][i, :subgoals, -real:].T
                    ).all()
                assert not observation["semantics"][i, :, : length - real].any()
                assert not observation["window_crop"][i, : length - real].any()
        assert ends >= n
    finally:
        env.close()


def test_one_environment_and_what_it_needs() -> None:
    env = make(TASK, window=2, workers=0)
    try:
        observation, _ = env.reset()
        assert observation["window_crop"].shape == (2, 9, 9)
        assert env.observation_space.contains(observation)
    finally:
        env.close()
    with pytest.raises(UsageError, match="add it to the keys"):
        make(TASK, window=2, keys=("blstats",), workers=0)
    with pytest.raises(UsageError, match="at least one step"):
        make(TASK, window=-1, workers=0)
