"""Drawings of where an agent looks, and the check that they mean something."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.config import TrainConfig
from agents.explain import by_group, explain_run, hidden_cells, importance_of, known_cells, moved
from agents.ppo import make_ppo
from agents.run import Run
from agents.train import train
from calm.errors import UsageError
from envs import make_vec

SMALL = {
    "steps": 64,
    "n_envs": 2,
    "n_steps": 32,
    "eval_every": 64,
    "eval_episodes": 2,
    "features_dim": 16,
}


@pytest.mark.parametrize("encoder", ["gaussian", "agent", "scan", "semantics", "cnn"])
def test_a_run_is_drawn_and_checked(encoder: str, tmp_path: Path) -> None:
    config = TrainConfig(task="Room-5x5", judge="none", encoder=encoder, **SMALL)
    run = Run.create(tmp_path / "run", config)
    train(run)
    found = explain_run(run.folder, situations=2, observations=16, hide=3)
    json.dumps(found.to_dict())
    assert found.source == ("occlusion" if encoder in ("cnn", "semantics") else "its mechanism")
    assert found.observations == 16
    assert found.kl_top >= 0
    assert found.kl_random >= 0
    if found.source == "occlusion":
        assert found.kl_top >= found.kl_random * 0.9  # its top cells are those that move it
    assert set(found.by_group) <= {"monsters", "dungeon features", "objects", "pets"}
    assert all(0 <= share <= 1 for share in found.by_group.values())
    drawings = sorted(p.name for p in (run.folder / "explain").glob("*.png"))
    assert drawings == ["0.png", "1.png", "mean.png"] + ["steps.png"] * (encoder == "semantics")
    page = (run.folder / "explain.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == len(drawings)
    assert "http://" not in page.replace("http-equiv", "")
    assert len(page) < 300_000


def test_importance_is_stretched_over_what_is_known_and_hiding_changes_the_policy() -> None:
    config = TrainConfig(task="Room-5x5", encoder="gaussian", keys=("glyphs_crop",), **SMALL)
    env = make_vec("Room-5x5", 2, kind="sb3", keys=config.keys, workers=0)
    try:
        model = make_ppo(config, env)
        seen = {"glyphs_crop": torch.as_tensor(env.reset()["glyphs_crop"]).float()}
    finally:
        env.close()
    importance, _ = importance_of(model, seen)
    known = known_cells(seen).numpy()
    assert (importance[~known] == 0).all()
    for one, cells in zip(importance, known, strict=True):
        assert (one[cells].min(), one[cells].max()) == (0, 1)
    none = torch.zeros_like(seen["glyphs_crop"], dtype=torch.bool)
    assert moved(model, seen, none)[0].tolist() == [0, 0]
    kl, value = moved(model, seen, ~none)
    assert (kl > 0).all()
    assert (value > 0).all()


def test_top_and_random_cells_are_known_ones() -> None:
    importance = np.arange(15, dtype=float).reshape(1, 3, 5)
    known = torch.ones(1, 3, 5, dtype=torch.bool)
    known[0, 2, 3:] = False
    top, other = hidden_cells(importance, known, 4, seed=0)
    assert torch.nonzero(top[0].flatten()).flatten().tolist() == [9, 10, 11, 12]
    assert other.sum() == 4
    assert not (other & ~known).any()
    few, _ = hidden_cells(importance, known & (torch.arange(5) == 0), 4, seed=0)
    assert few.sum() == 3


def test_importance_by_kind_of_glyph() -> None:
    glyphs = torch.tensor([[[333.0, 2378, 2359]], [[333, 2378, 2378]]])
    importance = np.array([[[1.0, 0.5, 0]], [[0.5, 0.25, 0]]])
    assert by_group(importance, glyphs) == {"monsters": 0.75, "dungeon features": 0.25}


def test_an_agent_without_a_crop_is_refused(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", TrainConfig(task="Room-5x5", keys=("glyphs",), **SMALL))
    with pytest.raises(UsageError, match="glyphs_crop"):
        explain_run(run.folder)
