"""Training on real MiniHack: three rewards apart, held-out success, and going on after a stop."""

import re
import resource
import shutil
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.bonus.make import TUNED_WEIGHTS
from agents.report.page import report_runs
from agents.training.run.folder import Run
from agents.training.run.status import TrainingStatus
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import CalmError, UsageError
from envs.interfaces.sb3_vec import Sb3Vec
from envs.tasks import task as find_task
from tests.support.owner import owning_process
from tests.support.states import same

SMALL = {
    "task": "KeyRoom-S5",
    "steps": 1024,  # 256 for each environment: every one ends an episode of at most 200
    "n_envs": 4,
    "n_steps": 64,
    "eval_every": 1024,
    "eval_episodes": 2,
    "features_dim": 16,
}


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.load_checkpoint()["policy"]


def test_a_shaped_run_logs_three_rewards_and_reaches_its_last_step(tmp_path: Path) -> None:
    often = {"eval_every": 512, "eval_episodes": 4}
    config = TrainConfig(**SMALL | often, judge="rules", penalty=True)
    run = Run.create(tmp_path / "run", config)
    statuses: list[TrainingStatus] = []
    rows = train(run, on_progress=statuses.append)
    assert [row["steps"] for row in rows] == [0, 512, 1024]
    assert {status.total for status in statuses} == {1024}
    last = rows[-1]
    assert last["return_shaped"] == pytest.approx(
        last["return_env"] + run.config.weight * last["return_credit"], abs=1e-4
    )
    assert last["return_credit"] > 0  # random play comes near the key in a thousand steps
    assert 0 < last["asked"] < last["judged"] == 1024
    assert last["unreadable"] == 0
    assert last["episodes"] == 4
    counts = {(t["source"], t["subgoal"]): t for t in last["subgoals"]}
    assert len(counts) == 2 * len(find_task("KeyRoom-S5").subgoals)
    assert last["repeats"] == pytest.approx(
        sum(t["repeats"] for (source, _), t in counts.items() if source == "truth")
    )
    assert last["test_credit"] > 0
    assert run.metrics() == rows


def test_what_a_student_answers_itself_is_counted(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="student@.6:rules"))
    statuses: list[TrainingStatus] = []
    last = train(run, on_progress=statuses.append)[-1]
    assert 0 < last["by_student"] < last["asked"]
    assert statuses[-1].by_student == last["by_student"]
    assert statuses[-1].steps == 1024
    assert list(run.tensorboard.glob("events*"))


@pytest.mark.parametrize("bonus", ["novelty", "rnd", "e3b"])
def test_reward_credit_and_bonus_are_logged_apart(tmp_path: Path, bonus: str) -> None:
    config = TrainConfig(**SMALL, judge="rules", bonus=bonus)
    run = Run.create(tmp_path / "run", config)
    last = train(run)[-1]
    assert last["return_shaped"] == pytest.approx(
        last["return_env"]
        + 0.3 * last["return_credit"]
        + TUNED_WEIGHTS[bonus] * last["return_bonus"],
        rel=1e-4,
    )
    assert last["return_bonus"] > 1
    assert run.metrics()[-1] == last
    board = EventAccumulator(str(run.tensorboard)).Reload()
    for name in ("return_env", "return_credit", "return_bonus"):
        assert board.Scalars(f"calm/{name}")[-1].value == pytest.approx(last[name], rel=1e-5), name
    assert run.config.name == f"KeyRoom-S5-rules-once-{bonus}-cnn-seed0"
    report = report_runs([run], tmp_path / "report.html").read_text("utf-8")
    parts = (last["return_env"], last["return_credit"], last["return_bonus"])
    assert " + ".join(f"{part:.2f}" for part in parts) in report


@pytest.mark.parametrize("more", [{"bonus": "e3b"}, {"augment": "dihedral"}], ids=str)
def test_a_run_resumes_the_same_way_however_often(more: dict[str, str], tmp_path: Path) -> None:
    config = TrainConfig(**SMALL | {"steps": 512} | more, judge="none")
    run = Run.create(tmp_path / "run", config)
    train(run)
    ends = []
    for name in ("a", "b"):
        other = Run(Path(shutil.copytree(run.folder, tmp_path / name)))
        other.lengthen(1024)
        train(other, resume=True)
        ends.append(other.load_checkpoint())
    for state in ends:
        for clock in ("training_seconds", "training_cpu_seconds", "eval_seconds"):
            del state[clock]
    assert same(*ends)
    before = run.load_checkpoint()
    assert not any(
        same(ends[0][name], before[name]) for name in ("policy", *more) if name in before
    )


def test_a_noisy_judges_quality_in_this_run_is_in_the_metrics(tmp_path: Path) -> None:
    spec = "noisy:precision=0.63,recall=0.53,by=step"
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge=spec))
    first, *_, last = train(run)
    assert first["judge_recall"] is None  # nothing was achieved yet
    assert 0.3 < last["judge_recall"] < 0.75
    # Play of an untrained agent achieves less than the reference's and hears the same false alarms.
    assert 0 < last["judge_precision"] < 0.63


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        config = TrainConfig(**SMALL | {"steps": 256}, judge="none", seed=seed)
        runs.append(Run.create(tmp_path / name, config))
        train(runs[-1])
    first, second, other = map(weights, runs)
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="truth"))

    def stop(progress: TrainingStatus) -> None:
        if progress.steps >= 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, on_progress=stop)
    checkpoint = run.load_checkpoint()
    assert checkpoint["steps"] == 256  # where the rollout began that was stopped
    rows = train(run, resume=True)
    assert rows[-1]["steps"] == 1024
    assert run.resumed_at == [256]
    assert run.load_checkpoint()["updates"] > checkpoint["updates"]
    assert [r["steps"] for r in rows] == sorted({r["steps"] for r in rows})


def test_whatever_ends_training_leaves_a_checkpoint(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="none"))

    def fail(status: TrainingStatus) -> None:
        if status.steps >= 768:
            raise ZeroDivisionError("by chance")

    with pytest.raises(ZeroDivisionError) as caught:
        train(run, on_progress=fail)
    (advice,) = caught.value.__notes__
    assert (
        "stopped at step 768 and kept a checkpoint; resume it with `calm train --resume" in advice
    )
    assert run.load_checkpoint()["steps"] == 512
    assert train(run, resume=True)[-1]["steps"] == 1024


def test_a_disk_that_takes_no_more_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    """The system's limit on a file's size stands for the full disk: the writing itself fails."""
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL | {"eval_every": 512}, judge="none"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(status: TrainingStatus) -> None:
        if status.steps >= 256:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    try:
        with pytest.raises(CalmError) as caught:
            train(run, on_progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.search(
        r"checkpoint\.pt.* Training has stopped at step 512 and its last checkpoint is of step 0;"
        r" resume it with `calm train --resume",
        str(caught.value),
    )
    assert run.load_checkpoint()["steps"] == 0
    assert train(run, resume=True)[-1]["steps"] == 1024


def test_a_disk_that_is_full_from_the_start_is_not_said_to_hold_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="none"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(*_: object) -> None:  # the game has been made, and the first checkpoint is next
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    monkeypatch.setattr(Run, "write_metrics", fill)
    try:
        with pytest.raises(
            CalmError, match=r"checkpoint\.pt.* and it has no checkpoint yet; resume"
        ):
            train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not run.checkpoint_path.exists()


def test_one_process_at_a_time_trains_in_a_folder(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="none"))
    with owning_process(run.folder), pytest.raises(UsageError, match="in use by process"):
        train(run)


def test_a_checkpoint_of_another_run_is_told(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL | {"steps": 256}, judge="none"))
    train(run)
    run.config.model_copy(update={"features_dim": 24, "steps": 512}).save(
        run.folder / "config.yaml"
    )
    with pytest.raises(UsageError, match=r"checkpoint\.pt does not fit its config\.yaml"):
        train(run, resume=True)


def test_an_interruption_while_it_sets_out_again_leaves_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL | {"steps": 256}, judge="none"))
    train(run)
    run.config.model_copy(update={"steps": 512}).save(run.folder / "config.yaml")
    before = run.checkpoint_path.read_bytes()

    def interrupted(_: Sb3Vec) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sb3Vec, "reset", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(run, resume=True)
    assert run.checkpoint_path.read_bytes() == before
    assert train(run, resume=True)[-1]["steps"] == 512


def test_an_unknown_judge_is_named_before_anything_is_built(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(**SMALL, judge="rule"))
    with pytest.raises(UsageError, match="unknown judge 'rule'"):
        train(run)


REMEMBERING = {
    "task": "KeyRoom-Dark-S5",
    "judge": "truth",
    "steps": 64,
    "n_envs": 2,
    "n_steps": 16,
    "eval_every": 64,
    "eval_episodes": 2,
    "features_dim": 16,
    "window": 3,
}


@pytest.mark.parametrize("memory", ["stack", "lstm"])
def test_an_agent_that_remembers_trains_and_resumes(memory: str, tmp_path: Path) -> None:
    config = TrainConfig(**REMEMBERING, memory=memory)
    assert memory in config.name
    run = Run.create(tmp_path / "run", config)

    def stop(progress: TrainingStatus) -> None:
        if progress.steps >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, on_progress=stop)
    checkpoint = run.load_checkpoint()
    assert checkpoint["steps"] == 32
    rows = train(run, resume=True)
    assert [row["steps"] for row in rows] == [0, 64]
    weights = run.load_checkpoint()["policy"]
    assert any(
        not torch.equal(value, checkpoint["policy"][name]) for name, value in weights.items()
    )
    assert any("lstm" in name for name in weights) == (memory == "lstm")
