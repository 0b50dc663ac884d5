"""A run that is killed resumes from its checkpoint, the same way however often it is tried."""

import multiprocessing as mp
import shutil
import signal
from itertools import pairwise
from pathlib import Path

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from tests.support.processes import eventually
from tests.support.states import same

SMALL = {
    "task": "KeyRoom-S5",
    "n_envs": 2,
    "n_steps": 32,
    "eval_every": 256,
    "eval_episodes": 2,
    "features_dim": 16,
    "checkpoint_every": 64,
}


def _train_again(folder: Path, resume: bool) -> None:
    train(Run.open(folder), resume=resume)


def _steps(run: Run) -> int:
    return int(run.load_checkpoint()["steps"]) if run.checkpoint_path.exists() else 0


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """A real process, killed by SIGKILL in the midst of training, twice."""
    config = TrainConfig(**SMALL, judge="rules", seed=2, steps=1024)
    run = Run.create(tmp_path / "run", config)
    # Forked from a process that has imported what training needs, as `calm train` does it.
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["agents.training.train"])
    for resume, enough in ((False, 128), (True, 384)):
        process = context.Process(target=_train_again, args=(run.folder, resume), daemon=True)
        process.start()
        try:
            assert eventually(lambda enough=enough: _steps(run) >= enough, 240)
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    state = run.load_checkpoint()
    assert enough <= state["steps"] < 1024
    assert run.resumed_at[0] >= 128

    copy = Run.open(Path(shutil.copytree(run.folder, tmp_path / "copy")))
    rows, again = train(run, resume=True), train(copy, resume=True)
    timed = ("seconds", "cpu_seconds", "eval_seconds")
    assert [{k: v for k, v in r.items() if k not in timed} for r in rows] == [
        {k: v for k, v in r.items() if k not in timed} for r in again
    ]
    assert [r["steps"] for r in rows] == [0, 256, 512, 768, 1024]
    for clock in ("seconds", "cpu_seconds"):
        assert all(a[clock] < b[clock] for a, b in pairwise(rows))
    assert rows[-1]["asked"] >= len(state["judge"]["texts"]) > 0
    assert rows[-1]["success_greedy"] is not None
    assert run.resumed_at[-1] == state["steps"]
    last, other = run.load_checkpoint(), copy.load_checkpoint()
    assert last["steps"] == 1024
    clock = ("training_seconds", "training_cpu_seconds", "eval_seconds", "judge")
    assert same(*({k: v for k, v in s.items() if k not in clock} for s in (last, other)))
