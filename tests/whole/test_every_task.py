"""Every id of MiniHack is made, stepped as many, collected with its truth, and has all commands."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import envs
from calm.loopback import Loopback
from docs.generate.minihack_table import surveys
from envs.collect import play
from tests.support.boxoban import SETS, write_levels
from tests.support.command_line import calm

SHORT = ("Boxoban-Medium", "Memento-F2", "Sokoban1a", "ExploreMaze-Easy", "Pray-Distr",
         "Freeze-Random-Restricted", "MultiRoom-N2", "Labyrinth-Small")  # fmt: skip
PLAN = """
title: One cell
all: {{steps: 64, n_envs: 2, n_steps: 32, eval_every: 64, eval_episodes: 1, features_dim: 16}}
tasks: {{it: {{task: {id}}}}}
arms: {{judged: {{label: judged, reward: paid, set: {{judge: rules}}}}}}
"""
IDS = [one.task for one in surveys() if not one.error]


@pytest.fixture(scope="module")
def boxoban(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxoban")
    for which in SETS:
        write_levels(folder, which)
    return folder


@pytest.mark.parametrize(
    "id",
    [
        pytest.param(id, marks=[] if id[9:].rpartition("-v")[0] in SHORT else [pytest.mark.slow])
        for id in IDS
    ],
)
def test_it_is_made_stepped_and_collected(
    id: str, boxoban: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALM_BOXOBAN", str(boxoban))
    rng = np.random.default_rng(0)
    with envs.make(id, workers=0) as env:
        env.reset(seed=1)
        for _ in range(10):
            *_, terminated, truncated, _ = env.step(int(rng.integers(env.action_space.n)))
            if terminated or truncated:
                env.reset()
    vec = envs.make_vec(id, 2, judge="truth", workers=0)
    try:
        vec.reset(seed=1)
        for _ in range(10):
            vec.step(vec.action_space.sample())
    finally:
        vec.close()
    names = {subgoal.name for subgoal in envs.task(id).subgoals}
    rows = list(islice(play(id, "sloppy"), 10))
    assert rows
    assert all(set(row.truth) == names for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("id", IDS)
def test_it_has_all_commands(
    id: str, boxoban: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Collected, decomposed, annotated, trained in a study of one cell, and replayed."""
    monkeypatch.setenv("CALM_BOXOBAN", str(boxoban))
    monkeypatch.chdir(tmp_path)
    calm("collect", id, "--player", "random", "--episodes", 1, "--out", "rows.parquet")
    named = [("get there", "The goal is reached."), ("come near", "The goal is next to the hero.")]
    with Loopback(subgoals=named) as server:
        judge = ("--judge", "openai:m", "--base-url", server.url)
        calm("decompose", id, *judge, "--out", "subgoals.yaml")
        calm(
            "annotate", "--data", "rows.parquet", *judge, "--subgoals", "subgoals.yaml",
            "--limit", 5, "--out", "answers.parquet",
        )  # fmt: skip
    Path("plan.yaml").write_text(PLAN.format(id=id))
    calm("study", "one", "--plan", "plan.yaml", "--seeds", 1, "--out", "study")
    (config,) = Path("study").rglob("config.yaml")
    assert calm("replay", config.parent, "--episodes", 1, "--json")
