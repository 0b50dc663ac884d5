"""Runs with made-up metrics, for reports."""

from pathlib import Path

from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig


def rows(*successes: float) -> list[dict]:
    return [
        {
            "steps": 1000 * (i + 1),
            "success": s,
            "success_low": max(0, s - 0.1),
            "success_high": min(1, s + 0.1),
            "episodes": 50,
            "test_return_env": s,
            "seconds": float(i + 1),
        }
        for i, s in enumerate(successes)
    ]


def run(folder: Path, seed: int, *successes: float) -> Run:
    new_run = Run.create(folder, TrainConfig(judge="none", seed=seed))
    new_run.write_metrics(rows(*successes))
    return new_run
