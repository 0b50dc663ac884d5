"""Credit in the rewards of a vectorised environment, and the sums of its episodes."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

import envs
from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.judges import make_judge
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.tasks import task as find_task

TASK = "KeyRoom-S5"
LIMIT = 200


class Every:
    """A source of achievements: in every third step the first two subgoals, never the third."""

    keys = ("glyphs",)

    def __init__(self, batch: Any, subgoals: Any) -> None:
        self.achieved = np.zeros((batch.n_envs, len(subgoals)), np.int8)
        self.step = 0

    def on_reset(self, rows: Any) -> None:
        pass

    def on_step(self, actions: Any, terminated: Any, truncated: Any) -> None:
        self.step += 1
        self.achieved[:, :2] = self.step % 3 == 0


SUBGOALS = (Subgoal("a", "A."), Subgoal("b", "B."), Subgoal("c", "C."))


def test_credit_is_added_and_told_apart() -> None:
    vec = envs.make_vec(
        TASK, 2, judge=Every, subgoals=SUBGOALS, shaping="every", weight=0.25, workers=0
    )
    observation, _ = vec.reset()
    assert observation["progress"].tolist() == [[0, 0, 0]] * 2
    for step in range(1, 7):
        observation, rewards, _, _, infos = vec.step(np.array([8, 8]))
        credit = 2.0 if step % 3 == 0 else 0.0
        assert infos["credit"].tolist() == [credit] * 2
        assert not infos["credit"].flags.writeable
        assert infos["r_env"].tolist() == pytest.approx([-0.01] * 2)
        assert rewards.tolist() == pytest.approx([-0.01 + 0.25 * credit] * 2)
        assert observation["progress"].tolist() == [[step >= 3, step >= 3, 0]] * 2
    vec.close()


def test_sums_of_an_episode_and_its_last_progress() -> None:
    vec = envs.make_vec(TASK, 2, kind="sb3", judge=Every, subgoals=SUBGOALS, workers=1)
    vec.reset()
    for _ in range(LIMIT):
        observation, _, _, infos = vec.step(np.array([8, 8]))
    episode = infos[0]["episode"]
    assert episode["credit"] == 2  # once an episode each
    assert episode["r_env"] == pytest.approx(-2, rel=1e-4)
    assert episode["r"] == pytest.approx(-2 + 0.5 * 2, rel=1e-4)
    assert infos[0]["terminal_observation"]["progress"].tolist() == [1, 1, 0]
    assert observation["progress"].tolist() == [[0, 0, 0]] * 2
    vec.close()


class Late(Annotator):
    """All that was asked is answered every seventh time that it is to collect."""

    calls, collects = 0, False

    def collect(self) -> None:
        if self.collects:
            super().collect()
            return
        self.calls += 1
        if self.calls % 7 == 0:
            self.collects = True
            self.wait()
            self.collects = False


def test_late_answers_pay_alike_on_both_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    task = find_task(TASK)
    episodes = []
    for _ in range(2):
        annotator = Late(make_judge("rules"), task, task.subgoals, ask="later")
        vec = envs.make_vec(TASK, 3, judge=annotator, shaping="every", workers=0, seed=3)
        rng = np.random.default_rng(0)
        vec.reset()
        steps = [vec.step(rng.integers(10, size=3))[-1]["credit"].tolist() for _ in range(300)]
        episodes.append(steps)
        vec.close()
        monkeypatch.setattr("envs.credit.sources.make_event_stream", EventStream)
    assert episodes[0] == episodes[1]
    assert np.count_nonzero(episodes[0]) > 10


@pytest.mark.parametrize("ask", ["wait", "later"])
@pytest.mark.parametrize("mode", ["once", "every", "potential"])
def test_judged_credit_is_what_the_answers_come_to(mode: Any, ask: Any) -> None:
    """Most steps are passed over; what is paid is as if each had been looked at."""
    task, n, gamma = find_task(TASK), 5, 0.9
    kind = Annotator if ask == "wait" else Late
    annotator = kind(make_judge("rules"), task, task.subgoals, ask=ask)
    vec = envs.make_vec(
        TASK, n, kind="sb3", judge=annotator, shaping=mode, gamma=gamma, workers=0, seed=3
    )
    shaping = vec.episodes.shaping
    assert shaping is not None
    rng = np.random.default_rng(0)
    done = np.zeros((n, len(task.subgoals)), bool)
    vec.reset()
    paid = 0.0
    for step in range(900):
        observation, _, dones, infos = vec.step(rng.integers(vec.batch.n_actions, size=n))
        yes = shaping.source.achieved == 1
        for i in range(n):
            ended = bool(dones[i])
            truncated = infos[i].get("TimeLimit.truncated", False)
            after = done[i] | yes[i]
            share = 0.0 if ended and not truncated else after.mean()
            expected = {
                "every": yes[i].sum(),
                "once": (yes[i] & ~done[i]).sum(),
                "potential": gamma * share - done[i].mean(),
            }[mode]
            assert infos[i]["credit"] == pytest.approx(expected, abs=1e-6), f"step {step}"
            done[i] = after & ~ended
            assert np.array_equal(observation["progress"][i], done[i])
            paid += abs(float(expected))
    assert paid > 10
    vec.close()


def test_judged_credit_holds_where_a_worker_died() -> None:
    task, n = find_task(TASK), 4
    annotator = Annotator(make_judge("rules"), task, task.subgoals)
    vec = envs.make_vec(TASK, n, judge=annotator, workers=2, seed=3)
    assert vec.episodes.shaping is not None
    rng = np.random.default_rng(0)
    done = np.zeros((n, len(task.subgoals)), bool)
    vec.reset()
    cut = 0
    for step in range(600):
        if step % 150 == 149:
            os.kill(vec.batch.backend.pids[step % 2], signal.SIGKILL)  # type: ignore[attr-defined]
        observation, _, terminated, truncated, infos = vec.step(rng.integers(10, size=n))
        cut += int(truncated.sum())
        yes = vec.episodes.shaping.source.achieved == 1
        assert infos["credit"].tolist() == (yes & ~done).sum(1).tolist(), f"step {step}"
        done = (done | yes) & ~(terminated | truncated)[:, None]
        assert np.array_equal(observation["progress"], done)
    assert cut > 4 * 2  # two games each time, and those whose time was over
    vec.close()


def test_progress_can_be_left_out() -> None:
    vec = envs.make_vec(TASK, 1, judge=Every, subgoals=SUBGOALS, progress=False, workers=0)
    assert "progress" not in vec.reset()[0]
    vec.close()


def test_an_annotator_is_asked_once_for_every_description() -> None:
    task = find_task(TASK)
    annotator = Annotator(make_judge("rules"), task, task.subgoals)
    vec = envs.make_vec(TASK, 4, judge=annotator, workers=0)
    truth = envs.make_vec(TASK, 4, judge="truth", workers=0)
    vec.reset(seed=0)
    truth.reset(seed=0)
    rng = np.random.default_rng(0)
    agree = 0
    for _ in range(250):
        actions = rng.integers(10, size=4)
        *_, infos = vec.step(actions)
        *_, true = truth.step(actions)
        assert np.array_equal(infos["r_env"], true["r_env"])
        agree += int((infos["credit"] == true["credit"]).sum())
    assert agree > 0.95 * 1000
    assert 0 < annotator.questions < 200
    vec.close()
    truth.close()


class Ten:
    """A bonus of 10 in every other step."""

    keys = ("glyphs",)

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, batch: Any, credit: Any) -> Any:
        self.n = batch.n_envs
        return self

    def reset(self) -> None:
        self.steps = 0

    def step(self, actions: Any, ended: Any) -> Any:
        self.steps += 1
        return np.full(self.n, 10.0 * (self.steps % 2), np.float32)


@pytest.mark.parametrize("judge", [None, Every])
def test_reward_credit_and_bonus_are_three_numbers(judge: Any) -> None:
    settings: Any = {"judge": judge, "subgoals": SUBGOALS if judge else None, "shaping": "every"}
    env = envs.make_vec(
        TASK, 2, **settings, weight=0.5, bonus=Ten(), bonus_weight=0.25, seed=1, workers=0
    )
    try:
        env.reset()
        rewards, r_env, credit, infos = [], [], [], {}
        for step in range(1, LIMIT + 1):
            _, reward, _, _, infos = env.step(np.zeros(2, np.int64))
            paid = infos["credit"] if judge else np.zeros(2)
            assert ("credit" in infos) == (judge is not None)
            assert infos["bonus"].tolist() == [10.0 * (step % 2)] * 2
            np.testing.assert_allclose(
                reward, infos["r_env"] + 0.5 * paid + 2.5 * (step % 2), rtol=1e-6
            )
            rewards.append(reward)
            r_env.append(infos["r_env"])
            credit.append(paid)
    finally:
        env.close()
    ended = infos["final_info"]["episode"]
    for i in range(2):
        assert ended["r"][i] == pytest.approx(sum(r[i] for r in rewards), rel=1e-5)
        assert ended["r_env"][i] == pytest.approx(sum(r[i] for r in r_env))
        assert ended["credit"][i] == sum(c[i] for c in credit)
        assert ended["bonus"][i] == 10.0 * LIMIT / 2
    assert not ended["success"].any()  # whatever is paid


def lengths(steps: int, **settings: Any) -> list[int]:
    """Of the episodes of one environment that end within so many steps."""
    vec = envs.make_vec(TASK, 1, kind="sb3", workers=0, **settings)
    try:
        vec.reset()
        ended = []
        for _ in range(steps):
            *_, dones, infos = vec.step(np.array([8]))  # pick up, where nothing lies
            if dones[0]:
                assert infos[0]["TimeLimit.truncated"]
                ended.append(infos[0]["episode"]["l"])
        return ended
    finally:
        vec.close()


def test_an_episode_that_is_paid_nothing_for_so_long_is_cut() -> None:
    judged = {"judge": Every, "subgoals": SUBGOALS}
    # Paid in its third step, and once an episode: the fourth after that is the last.
    assert lengths(20, **judged, stall=4)[0] == 7
    # The third step of all is the first of the next episode.
    assert lengths(20, **judged, stall=2) == [2] + 6 * [3]
    # Paid in every third step, which is too late for 3, though it pays.
    assert lengths(20, **judged, stall=3, shaping="every") == 6 * [3]
    assert lengths(20, **judged, stall=4, shaping="every") == []
    assert lengths(20, **judged, stall=0) == []
    with pytest.raises(UsageError, match=r"stall counts steps.*got -1"):
        lengths(20, **judged, stall=-1)


def test_a_bonus_keeps_an_episode_from_stalling() -> None:
    # What the game says to the first step is new in each episode.
    assert lengths(20, bonus="novelty:message", stall=5) == [6, 6, 6]
    assert lengths(20, stall=5) == []  # where nothing could pay nothing stalls
