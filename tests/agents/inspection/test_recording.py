"""Recorded episodes are what the agent really did, and a file of them says nothing else."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from agents.inspection.recording import Recording, latest, record_run
from agents.training.agent import make_ppo
from agents.training.credit_source import make_credit_source
from agents.training.environment import make_env, subgoals_of_run
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import UsageError
from envs.events.judge_rules import RULES
from envs.events.stream import EventStream
from envs.stepping.batch import Batch
from envs.tasks import task
from tests.support.recorded import recording, step

SMALL = {
    "task": "Room-5x5", "steps": 256, "n_envs": 4, "n_steps": 64, "eval_every": 256,
    "eval_episodes": 4, "features_dim": 16,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    new_run = Run.create(tmp_path_factory.mktemp("runs") / "run", TrainConfig(**SMALL))
    train(new_run)
    return new_run


def test_it_is_what_the_game_does_when_the_same_is_done_again(run: Run) -> None:
    """Each level played once more with the recorded actions: the same texts and ends."""
    recorded_run = record_run(run, 3)
    assert recorded_run.trained == 256
    assert len({steps[0].level_seed for steps in recorded_run.episodes}) == 3
    known = task("Room-5x5")
    for steps in recorded_run.episodes:
        keys = (*EventStream.keys, "tty_chars", "glyphs")
        with Batch(known.id, 1, keys, workers=0) as batch:
            events = EventStream(known.id, batch)
            batch.observers.append(events)
            batch.reset([steps[0].level_seed])
            for one in steps[1:]:
                assert (
                    bytes(batch.arrays["tty_chars"][0, 5]).decode()
                    == (steps[one.step - 1].chars.split("\n")[5])
                )
                here = batch.arrays["glyphs"][0]
                assert np.array_equal(here, steps[one.step - 1].map())
                _, terminated, truncated = batch.step(np.array([known.actions.index(one.action)]))
                assert events.texts[events.ids[0]] == one.event
                assert bool(terminated[0] or truncated[0]) == bool(one.end)
        assert [s.step for s in steps] == list(range(len(steps)))
        # The rules' own words: this subgoal is achieved where the text says so.
        for one in steps[1:]:
            goal = "reach the staircase down"
            assert (goal in one.achieved) == (one.end == "reached the goal")
        assert sum(s.credit for s in steps) == len({n for s in steps for n in s.achieved})
        assert sum(s.r_env for s in steps) == pytest.approx(
            float(steps[-1].end == "reached the goal")
        )
        assert (steps[-1].value == 0.0) == (steps[-1].end == "reached the goal")
    assert goal in RULES


def test_the_same_again_and_kept_until_the_agent_has_changed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    first = latest(run, path, 2)
    assert first == record_run(run, 2)
    before = path.stat().st_mtime_ns
    assert latest(run, path) == first
    assert path.stat().st_mtime_ns == before
    assert len(latest(run, path, 1).episodes) == 1
    replace(first, trained=1).write(path)  # as if recorded from an earlier checkpoint
    assert latest(run, path).trained == 256
    assert latest(run, path, seed=9) != first


def test_a_models_answers_are_those_the_run_got_and_nobody_is_asked(
    run: Run, tmp_path: Path
) -> None:
    """No endpoint is there; one event has an answer, the others are said to have none."""
    config = TrainConfig(**SMALL, judge="openai:nobody")
    new_run = Run.create(tmp_path / "run", config)
    new_run.save_checkpoint(run.load_checkpoint())
    events = [s.event for episode in record_run(run, 2).episodes for s in episode[1:]]
    text = Counter(events).most_common(1)[0][0]
    new_run.write_judged({text: ["stand next to the staircase down"]})
    steps = [s for episode in record_run(new_run, 2).episodes for s in episode[1:]]
    known = [s for s in steps if s.event == text]
    assert known
    assert all(s.achieved == ["stand next to the staircase down"] for s in known)
    assert all(s.unanswered and not s.achieved for s in steps if s.event != text)
    assert {s.unanswered for s in steps} == {True, False}


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    recording().write(path)
    assert Recording.read(path) == recording()


def test_an_older_file_has_no_glyphs_and_one_episode_can_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    recording().write(path)
    pq.write_table(pq.read_table(path).drop_columns("glyphs"), path)
    old = Recording.read(path)
    assert old == recording()
    assert old.episodes[0][0].map() is None
    assert old.only(2).episodes == [recording().episodes[1]]
    with pytest.raises(UsageError, match="no episode 3: expected 1 to 2"):
        old.only(3)


def test_control_characters_do_not_come_through(tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    replace(recording(), episodes=[[step(0, 0, event="a\x1b[2Jb\nc", end="\x07")]]).write(path)
    recorded_run = Recording.read(path).episodes[0][0]
    assert (recorded_run.event, recorded_run.end) == ("a [2Jb\nc", " ")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "episodes.parquet"
    for broken in ({"chars": "x"}, {"colours": "z" * 80}, {"glyphs": b"\0" * 7}):
        episode = [step(0, 0, **broken)]
        replace(recording(), episodes=[episode]).write(path)
        with pytest.raises(UsageError, match=r"holds no recorded episodes.*--again"):
            Recording.read(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UsageError, match="holds no recorded episodes"):
        Recording.read(path)
    path.write_bytes(b"none")
    with pytest.raises(UsageError, match="holds no recorded episodes"):
        Recording.read(path)


def test_a_run_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint\.pt"):
        record_run(Run.create(tmp_path / "run", TrainConfig(**SMALL)))


def test_an_agent_with_stacked_crops_is_recorded(tmp_path: Path) -> None:
    new_run = Run.create(tmp_path / "run", TrainConfig(**SMALL, memory="stack"))
    train(new_run)
    recorded_run = record_run(new_run, 2)
    assert all(steps[-1].end for steps in recorded_run.episodes)
    assert len(recorded_run.episodes) == 2


def test_an_agent_with_an_lstm_remembers_the_episode(tmp_path: Path) -> None:
    """Its values are those of one pass over all that the episode showed it, from no memory."""
    new_run = Run.create(tmp_path / "run", TrainConfig(**SMALL, memory="lstm"))
    train(new_run)
    recorded_run = record_run(new_run, 3)
    assert "time ran out" in {steps[-1].end for steps in recorded_run.episodes}
    config = new_run.config
    subgoals = subgoals_of_run(new_run)
    for steps in recorded_run.episodes:
        source = make_credit_source("rules", task("Room-5x5"), subgoals)
        env = make_env(config, 1, source, subgoals, split="test", seed=0)
        try:
            policy = make_ppo(config, env).policy
            policy.load_state_dict(new_run.load_checkpoint()["policy"])
            env.episodes.reset([steps[0].level_seed])
            observations = [env.episodes.observation()]
            for one in steps[1:]:
                env.episodes.step(np.array([task("Room-5x5").actions.index(one.action)]))
                observations.append(env.episodes.observation())
            observations[-1] = {key: value[None] for key, value in env.episodes.final(0).items()}
        finally:
            env.close()
        whole = {key: np.concatenate([o[key] for o in observations]) for key in observations[0]}
        begun = torch.zeros(len(observations))
        begun[0] = 1
        with torch.no_grad():
            values = policy.predict_values(
                policy.obs_to_tensor(whole)[0], (torch.ones(1, 1, 16), torch.ones(1, 1, 16)), begun
            )
        if steps[-1].end == "reached the goal":
            values[-1] = 0.0
        assert [s.value for s in steps] == pytest.approx(values.flatten().tolist(), abs=1e-5)
