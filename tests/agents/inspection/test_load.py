"""A trained agent plays on with what it was trained on, and nobody is asked."""

from pathlib import Path

import pytest

from agents.inspection.load import SavedJudge, recalled_source, trained
from agents.inspection.recording import record_run
from agents.inspection.saliency.observed import observed
from agents.training.environment import subgoals_of
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.annotation.live import Annotator
from calm.records import Subgoal
from calm.subgoals import write_subgoals
from envs.credit.noisy import NoisyTruth

SMALL = {
    "task": "Room-5x5", "steps": 64, "n_envs": 2, "n_steps": 32, "eval_every": 64,
    "eval_episodes": 2, "features_dim": 16,
}  # fmt: skip
OWN = (Subgoal("wander", "The hero goes somewhere."), Subgoal("yawn", "The hero yawns."))
"""What no rules and no truth know of."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on a model's own subgoals. Its model is gone."""
    write_subgoals(tmp_path / "own.yaml", "Room-5x5", OWN)
    config = TrainConfig(**SMALL, judge="always-no", subgoals=str(tmp_path / "own.yaml"))
    new_run = Run.create(tmp_path / "run", config)
    train(new_run)
    config.model_copy(update={"judge": "openai:gone"}).save(new_run.folder / "config.yaml")
    return new_run


def test_an_agent_is_shown_the_progress_that_the_run_was_told_of(run: Run) -> None:
    events = {step.event for episode in record_run(run, 2).episodes for step in episode[1:]}
    run.write_judged({event: ["wander"] for event in events})
    progress = observed(run, 32, seed=0)[1].batch["progress"]
    wandered, yawned = progress.amax(0).tolist()
    assert (wandered, yawned) == (1, 0)


def test_the_seed_is_of_the_levels(run: Run) -> None:
    observations = []
    for seed in (0, 0, 5):
        with trained(run, 3, seed) as agent:
            agent.env.reset()
            observations.append(agent.env.batch.level_seeds.tolist())
        assert agent.steps == 64
    assert observations[0] == observations[1]
    assert not set(observations[0]) & set(observations[2])


@pytest.mark.parametrize("judge", ["always-yes", "rules", "openai:m", "replay:m"])
def test_a_judge_is_the_runs_own_or_what_it_said(tmp_path: Path, judge: str) -> None:
    config = TrainConfig(**SMALL, judge=judge)
    source = recalled_source(Run.create(tmp_path / "run", config), subgoals_of(config))
    assert isinstance(source, Annotator)
    assert source.judge.name == judge
    assert isinstance(source.judge, SavedJudge) == judge.endswith(":m")


def test_noise_and_truth_are_the_runs_own(tmp_path: Path) -> None:
    for judge, source in (
        ("none", None),
        ("truth", "truth"),
        ("noisy:precision=0.5,recall=0.25", NoisyTruth(0.5, 0.25, seed=7)),
    ):
        new_run = Run.create(tmp_path / judge, TrainConfig(**SMALL, judge=judge, seed=7))
        assert recalled_source(new_run, subgoals_of(new_run.config)) == source
