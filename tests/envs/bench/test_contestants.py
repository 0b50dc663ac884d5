"""How a contestant of `calm bench env` plays: whole batches of actions, counted as steps."""

import numpy as np

from envs.bench.contestants import _stepping


def test_actions_are_drawn_beforehand_and_every_environment_counts() -> None:
    calls: list[np.ndarray] = []
    play = _stepping(calls.append, n_actions=3, n_envs=2)
    assert play(0.0) > 0  # environment steps a second
    assert len(calls) == 8  # as many before it looks at the clock
    assert {len(actions) for actions in calls} == {2}
    assert set(np.concatenate(calls).tolist()) <= {0, 1, 2}
