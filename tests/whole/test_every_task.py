"""Every id of MiniHack is made, stepped as many and collected, with its truth."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import envs
from docs.generate.minihack_table import surveys
from envs.collect import play
from tests.support.boxoban import SETS, write_levels

SHORT = ("Boxoban-Medium", "Memento-F2", "Sokoban1a", "ExploreMaze-Easy", "Pray-Distr",
         "Freeze-Random-Restricted", "MultiRoom-N2", "Labyrinth-Small")  # fmt: skip
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
