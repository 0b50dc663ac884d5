"""`make` and `make_vec`: both interfaces, and judged credit in the reward."""

from __future__ import annotations

import os
import signal
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import envs
from calm.annotation.live import Annotator
from calm.errors import GameError, UsageError
from calm.judges import make_judge
from calm.records import Subgoal
from envs.events.stream import EventStream
from envs.seeding import LevelSeeds
from envs.tasks import task as find_task

TASK = "KeyRoom-S5"
LIMIT = 200
TRUE, FALSE = [True, True, True], [False, False, False]


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


# --- one environment -----------------------------------------------------------------------------


# SB3 prefers flat observations; ours are for networks that look at maps.
@pytest.mark.filterwarnings("ignore:.*unconventional shape:UserWarning")
def test_passes_the_checks_of_gymnasium_and_sb3() -> None:
    with envs.make(TASK, workers=0) as env:
        check_env(env, skip_render_check=True)
    with envs.make(TASK, workers=0, judge="truth") as env:
        sb3_check_env(env)


def test_make_seeds() -> None:
    with envs.make(TASK, workers=0) as env:
        first, info = env.reset(seed=3)
        again, same = env.reset(seed=3)
        assert info == same
        assert all(np.array_equal(first[key], again[key]) for key in first)
        _, other = env.reset()
        assert other != info
        _, third = env.reset(options={"level_seed": 9})
        assert third == {"level_seed": 9}
        with pytest.raises(UsageError, match="level_seed"):
            env.reset(options={"level": 9})


def test_one_environment_plays_its_stream_episode_after_episode() -> None:
    stream = LevelSeeds("train", 3, 0)

    def play(env: Any) -> dict[str, Any]:
        for _ in range(3):
            observation, *_, truncated, info = env.step(8)
            assert env.observation_space.contains(observation)
        assert truncated
        return dict(info["episode"])

    with envs.make(TASK, seed=3, options={"max_episode_steps": 3}, workers=0) as env:
        for n in range(4):
            observation, info = env.reset()
            first = {key: array.copy() for key, array in observation.items()}
            assert info == {"level_seed": stream.at(n)}
            assert play(env)["level_seed"] == stream.at(n)
            assert all(np.array_equal(observation[key], first[key]) for key in first)
        # The last is what a new game on that level shows.
        fresh, _ = env.reset(options={"level_seed": stream.at(3)})
        assert all(np.array_equal(fresh[key], first[key]) for key in first)
        assert play(env)["level_seed"] == stream.at(3)
        assert env.reset()[1] == {"level_seed": stream.at(5)}
        assert env.reset()[1] == {"level_seed": stream.at(6)}  # in the middle of an episode
        play(env)
        assert env.reset(seed=3)[1] == {"level_seed": stream.at(0)}
        play(env)
        assert env.reset()[1] == {"level_seed": stream.at(1)}
        play(env)
    with pytest.raises(UsageError, match="closed"):
        env.reset()


def test_one_environment_and_each_of_a_vector_play_the_same_levels() -> None:
    with envs.make(TASK, workers=0) as env:
        one, _ = env.reset(seed=42)
    vec = envs.make_vec(TASK, 3, workers=0)
    many, _ = vec.reset(seed=[7, 42, None])
    assert all(np.array_equal(one[key], many[key][1]) for key in one)
    vec.close()


def test_an_episode_that_is_over_must_be_reset() -> None:
    with envs.make(TASK, workers=0) as env:
        env.reset(seed=0)
        for _ in range(LIMIT - 1):
            *_, truncated, info = env.step(8)
            assert not truncated
            assert info == {}
        *_, terminated, truncated, info = env.step(8)
        assert (terminated, truncated) == (False, True)
        assert info["episode"]["l"] == LIMIT
        with pytest.raises(UsageError, match="over"):
            env.step(8)


# --- gymnasium's vector --------------------------------------------------------------------------


def test_gym_vector() -> None:
    vec = envs.make_vec(TASK, 3, seed=1, workers=1)
    assert vec.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, infos = vec.reset(seed=1)
    assert infos == {}
    assert vec.observation_space.contains(observation)
    kept = observation["message"].copy()
    for _ in range(LIMIT - 1):
        _, rewards, terminated, truncated, infos = vec.step(np.array([8, 8, 8]))
        assert infos == {}
    assert np.array_equal(observation["message"], kept)  # a copy: steps don't change it
    observation, rewards, terminated, truncated, infos = vec.step(np.array([8, 8, 8]))
    assert terminated.tolist() == FALSE
    assert truncated.tolist() == TRUE
    assert rewards.dtype == np.float32
    assert rewards.tolist() == pytest.approx([-0.01] * 3)
    assert set(infos) == {"final_obs", "_final_obs", "final_info", "_final_info"}
    assert infos["_final_obs"].tolist() == TRUE
    final = infos["final_obs"][1]
    assert vec.single_observation_space.contains(final)
    assert bytes(final["message"]).startswith(b"The")  # nothing here, or the stairs are fixed
    assert bytes(observation["message"][1]).startswith(b"Hello Agent")
    episode = infos["final_info"]["episode"]
    assert episode["l"].tolist() == [LIMIT] * 3
    assert episode["r"].tolist() == pytest.approx([-0.01 * LIMIT] * 3, rel=1e-5)
    assert episode["success"].tolist() == FALSE
    vec.close()
    with pytest.raises(UsageError, match="closed"):
        vec.step(np.array([0, 0, 0]))


def test_gym_vector_without_copies_hands_out_the_arrays() -> None:
    vec = envs.make_vec(TASK, 2, workers=1, copy=False)
    observation, _ = vec.reset()
    later, *_ = vec.step(np.array([0, 0]))
    assert later["blstats"] is observation["blstats"] is vec.batch.arrays["blstats"]
    vec.close()


def test_gym_vector_plays_the_levels_asked_for() -> None:
    vec = envs.make_vec(TASK, 2, workers=0)
    vec.reset(options={"level_seeds": [4, 5]})
    assert vec.batch.level_seeds.tolist() == [4, 5]
    with pytest.raises(UsageError, match="level_seeds"):
        vec.reset(options={"seeds": [4, 5]})
    with pytest.raises(UsageError, match="as many seeds"):
        vec.reset(seed=[1])
    vec.close()


# --- stable-baselines3 ---------------------------------------------------------------------------


def test_sb3_vector() -> None:
    vec = envs.make_vec(TASK, 2, kind="sb3", seed=5, workers=1)
    observation = vec.reset()
    assert vec.observation_space.contains({key: value[0] for key, value in observation.items()})
    for _ in range(LIMIT - 1):
        _, _, dones, infos = vec.step(np.array([8, 8]))
        assert infos == [{}, {}]
    observation, _, dones, infos = vec.step(np.array([8, 8]))
    assert dones.tolist() == [True, True]
    for info in infos:
        assert info["TimeLimit.truncated"] is True
        assert info["is_success"] is False
        assert info["episode"]["l"] == LIMIT
        assert info["episode"]["r"] == pytest.approx(-0.01 * LIMIT, rel=1e-5)
        assert bytes(info["terminal_observation"]["message"]).startswith(b"The")
    assert bytes(observation["message"][0]).startswith(b"Hello Agent")
    assert vec.get_attr("level_seeds") == vec.batch.level_seeds.tolist()
    assert vec.get_attr("task", indices=[1]) == [vec.batch.task]
    assert vec.env_method("summary", indices=0)[0]["l"] == LIMIT
    assert vec.env_is_wrapped(gymnasium.Wrapper) == [False, False]
    assert not vec.has_attr("nonsense")
    with pytest.raises(UsageError, match="share"):
        vec.set_attr("task", "x")
    vec.seed(5)
    vec.reset()
    levels = vec.batch.level_seeds.copy()
    vec.reset()
    assert (vec.batch.level_seeds != levels).all()
    vec.seed(5)
    vec.reset()
    assert (vec.batch.level_seeds == levels).all()
    vec.set_options({"level_seeds": [4, 5]})
    vec.reset()
    assert vec.batch.level_seeds.tolist() == [4, 5]
    vec.reset()
    assert vec.batch.level_seeds.tolist() != [4, 5]
    for options, words in (({"seeds": [4, 5]}, "level_seeds"), ([{}, {}], "one dictionary")):
        with pytest.raises(UsageError, match=words):
            vec.set_options(options)
    vec.close()


def test_sb3_learns_on_it() -> None:
    vec = envs.make_vec(TASK, 2, kind="sb3", judge="truth", workers=1)
    model = PPO("MultiInputPolicy", vec, n_steps=128, batch_size=64, n_epochs=1, seed=0)
    model.learn(512)
    assert {"r", "l", "r_env", "credit"} <= set(model.ep_info_buffer[0])
    vec.close()


# --- credit --------------------------------------------------------------------------------------


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
    played = []
    for _ in range(2):
        annotator = Late(make_judge("rules"), task, task.subgoals, ask="later")
        vec = envs.make_vec(TASK, 3, judge=annotator, shaping="every", workers=0, seed=3)
        rng = np.random.default_rng(0)
        vec.reset()
        steps = [vec.step(rng.integers(10, size=3))[-1]["credit"].tolist() for _ in range(300)]
        played.append(steps)
        vec.close()
        monkeypatch.setattr("envs.credit.shaping.best_event_stream", EventStream)
    assert played[0] == played[1]
    assert np.count_nonzero(played[0]) > 10


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
    assert 0 < annotator.asked < 200
    vec.close()
    truth.close()


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "KeyRom-S5"}, "KeyRoom-S5"),
        ({"kind": "sb4"}, "sb3"),
        ({"kind": "sb3", "copy": False}, "copy"),
        ({"split": "training"}, "train"),
        ({"keys": ("glyfs",)}, "glyphs"),
        ({"judge": "rules"}, "Annotator"),
        ({"judge": "truth", "shaping": "twice"}, "once"),
        ({"judge": "truth", "gamma": 1.5}, "gamma"),
        ({"judge": "truth", "gamma": float("nan")}, "gamma"),
        ({"judge": "truth", "weight": float("nan")}, "weight"),
        ({"judge": "truth", "subgoals": ()}, "no given subgoals"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], words: str) -> None:
    settings = {"task": TASK, "n_envs": 1, **settings}
    with pytest.raises(UsageError, match=words):
        envs.make_vec(**settings)


@pytest.mark.parametrize("kind", ["gym", "sb3"])
def test_both_interfaces_name_what_is_wrong(kind: Any) -> None:
    with pytest.raises(UsageError, match="at least one"):
        envs.make_vec(TASK, 0, kind=kind)
    with pytest.raises(UsageError, match="'glyphs'"):
        envs.make_vec(TASK, 1, kind=kind, keys=("glyph",))
    level = {"des_file": "MAZE: \"mylevel\", ' '\nMAPP\n.\nENDMAP\n"}
    with pytest.raises(GameError, match="syntax error"):
        envs.make_vec("MiniHack-Navigation-Custom-v0", 1, kind=kind, options=level)
    vec = envs.make_vec(TASK, 2, kind=kind, workers=0)
    with pytest.raises(UsageError, match=r"reset\(\) before"):
        vec.step(np.array([0, 0]))
    vec.reset()
    for actions, words in (([0], "2 integers"), ([0, 10], "from 0 to 9"), ([0.5, 0], "integers")):
        with pytest.raises(UsageError, match=words):
            vec.step(np.array(actions))
    vec.close()
    for call in (vec.reset, lambda: vec.step(np.array([0, 0]))):
        with pytest.raises(UsageError, match="closed"):
            call()
