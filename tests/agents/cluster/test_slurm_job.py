"""A cell's job: it stops where a file says so, and is queued again as it was."""

from pathlib import Path

import pytest

from agents.cluster.cell import CellNeeds
from agents.cluster.slurm_job import SUPERSEDED, CellJob, Submission
from agents.cluster.versions import versions
from agents.training.executor import Lost
from agents.training.run.folder import Run
from agents.training.run.status import FILE
from agents.training.settings.config import TrainConfig

pytest.importorskip("submitit")


def job(folder: Path) -> CellJob:
    config = TrainConfig(
        judge="none", n_envs=4, n_steps=16, steps=128, eval_episodes=2, features_dim=16
    )
    Run.create(folder / "run", config)
    submission = Submission("first")
    submission.write(folder / "run")
    return CellJob(
        folder / "run",
        folder / "stop",
        CellNeeds(),
        versions(),
        None,
        {"CALM_TEST": "1"},
        submission,
    )


def test_a_job_trains_its_cell_and_leaves_the_folder_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_TEST", "0")
    one = job(tmp_path)
    # Left by an attempt on a node that died.
    (one.folder / "owner.json").write_text('{"pid": 1, "host": "a-dead-node"}')
    assert one().news() is None
    assert Run(one.folder).metrics()[-1]["steps"] == 128
    assert not (one.folder / FILE).exists()
    assert not (one.folder / "owner.json").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_a_job_ends_with_a_checkpoint_once_the_file_is_there(tmp_path: Path) -> None:
    one = job(tmp_path)
    one.stop.touch()
    assert isinstance(one().news(), KeyboardInterrupt)
    assert Run(one.folder).load_checkpoint()["steps"] == 0
    one.stop.unlink()
    assert one.checkpoint().function == one
    assert one().news() is None


def test_a_job_ends_at_once_where_a_later_command_has_submitted_another(tmp_path: Path) -> None:
    """As one that Slurm had queued for a command that died before it noted its jobs."""
    one = job(tmp_path)
    Submission("second", "https://owner:1").write(one.folder)
    news = one().news()
    assert isinstance(news, Lost)
    assert news.reason == SUPERSEDED
    assert not Run(one.folder).metrics()
    assert Submission.read(one.folder) == Submission("second", "https://owner:1")


def test_a_job_ends_in_its_training_once_another_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.cluster.cell.REPORT_SECONDS", 0.0)
    one = job(tmp_path)
    looks = []

    def counts(self: Submission, folder: Path) -> bool:
        looks.append(folder)
        return len(looks) < 3

    monkeypatch.setattr(Submission, "counts", counts)
    news = one().news()
    assert isinstance(news, Lost)
    assert SUPERSEDED in news.reason
    assert Run(one.folder).metrics()[-1]["steps"] < 128
