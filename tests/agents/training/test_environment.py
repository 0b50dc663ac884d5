"""What a run begins with stays what it was, wherever it came from."""

from pathlib import Path

import pytest

from agents.inspection.recording import record_run
from agents.training.environment import make_env, subgoals_of_run
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import UsageError
from calm.records import Subgoal, subgoals_hash
from calm.store.store import Store
from calm.subgoals import write_subgoals
from envs.tasks import task as find_task

LIST = (
    Subgoal("stand next to the staircase down", "The staircase down is one step away."),
    Subgoal("reach the staircase down", "The hero stands on the staircase down."),
)
SMALL = {
    "task": "Room-5x5", "steps": 64, "n_envs": 2, "n_steps": 32, "eval_every": 64,
    "eval_episodes": 2, "features_dim": 16,
}  # fmt: skip


def test_a_file_of_subgoals_may_change_after_the_run_began(tmp_path: Path) -> None:
    path = tmp_path / "subgoals.yaml"
    write_subgoals(path, "Room-5x5", LIST)
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, subgoals=str(path)))
    assert subgoals_of_run(run) == LIST
    path.unlink()
    assert subgoals_of_run(run) == LIST
    assert subgoals_of_run(Run.create(tmp_path / "given", TrainConfig(**SMALL))) == (
        find_task("Room-5x5").subgoals
    )
    # Given ones are kept too: another version of this code may give others.
    assert Run.open(tmp_path / "given").subgoals() == find_task("Room-5x5").subgoals


def test_a_run_on_a_list_of_the_store_is_replayed_without_the_store(tmp_path: Path) -> None:
    with Store() as store:
        name = store.keep_subgoals("MiniHack-Room-5x5-v0", LIST, "somebody")
        assert name == subgoals_hash(LIST)
        run = Run.create(tmp_path / "run", TrainConfig(**SMALL, subgoals=name[:8]))
        with pytest.raises(UsageError, match="neither `given`"):
            subgoals_of_run(run)
        train(run, store=store)
    assert record_run(run, 1).subgoals == [s.name for s in LIST]


def test_the_version_of_descriptions_reaches_the_batch() -> None:
    for version in (1, 2):
        config = TrainConfig(**SMALL, descriptions=version)
        env = make_env(config, 1, None, (), split="train", seed=0)
        assert env.batch.descriptions == version
        env.close()
