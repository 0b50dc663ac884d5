"""A cell's job: it stops where a file says so, and is queued again as it was."""

from pathlib import Path

import pytest

from agents.cluster.cell import CellNeeds
from agents.cluster.slurm_job import CellJob
from agents.cluster.versions import versions
from agents.training.config import TrainConfig
from agents.training.run_folder import Run
from agents.training.status import FILE

pytest.importorskip("submitit")


def job(folder: Path) -> CellJob:
    config = TrainConfig(
        judge="none", n_envs=4, n_steps=16, steps=128, eval_episodes=2, features_dim=16
    )
    Run.create(folder / "run", config)
    return CellJob(
        folder / "run", folder / "stop", CellNeeds(), versions(), None, {"CALM_TEST": "1"}
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
