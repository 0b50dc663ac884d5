"""What `calm data export` writes of a set, of collected play and of a run."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from agents.sharing.export import export_minari, export_tables
from agents.training.run.folder import Run
from calm.errors import UsageError
from data.parquet import read_transitions
from tests.support.command_line import calm, run_calm


def test_collected_play_becomes_episodes(tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    play = tmp_path / "play.parquet"
    calm("collect", "Room-5x5", "--out", play, "--episodes", 2, "--player", "scripted")
    out = tmp_path / "minari"
    text = calm("data", "export", play, "--out", out, "--format", "minari")
    assert "calm/room-5x5/play-v0: 2 episodes" in text
    assert "not in it: the descriptions `screen` and `crop`" in text
    rows = read_transitions(play).rows
    dataset = minari.MinariDataset(str(out / "calm/room-5x5/play-v0/data"))
    assert dataset.total_steps == len(rows)
    rewards = np.concatenate([e.rewards for e in dataset.iterate_episodes()])
    assert rewards.tolist() == [float(row.provenance["reward"]) for row in rows]
    assert [e.rewards[-1] for e in dataset.iterate_episodes()] == [1, 1]  # scripted play wins


def test_picked_transitions_are_no_episodes(tmp_path: Path) -> None:
    done = run_calm("data", "export", "keyroom-v1", "--out", tmp_path / "m", "--format", "minari")
    assert isinstance(done.exception, UsageError)
    assert "256 of the 256 episodes in keyroom-v1 are not whole" in str(done.exception)
    assert not (tmp_path / "m").exists()


def test_a_runs_agent_plays_for_both_formats(run: Run, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    about = export_tables(str(run.folder), tmp_path / "tables", episodes=2, seed=1)
    table = pq.read_table(tmp_path / "tables" / "steps.parquet")
    assert about["frames"] == len(table)
    (made,) = export_minari(str(run.folder), tmp_path / "m", episodes=2, seed=1, name="mine")
    assert made["steps"] == len(table) - 2  # a frame of each is of the reset
    dataset = minari.MinariDataset(str(tmp_path / "m/calm/room-5x5/mine-v0/data"))
    rewards = np.concatenate([e.rewards for e in dataset.iterate_episodes()])
    steps = table.to_pylist()
    assert rewards.tolist() == [s["reward"] for s in steps if s["step"]]
    assert not (run.folder / "episodes.parquet").exists()  # the run is left as it was
    glyphs = next(dataset.iterate_episodes()).observations["glyphs"][0]
    assert glyphs.flatten().tolist() == steps[0]["glyphs"]
    with pytest.raises(UsageError, match="is there already"):
        export_tables(str(run.folder), tmp_path / "tables")


def test_what_a_source_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--episodes and --seed are of a run's folder"):
        export_tables("keyroom-v1", tmp_path / "out", episodes=3)
    out = calm("data", "export", "keyroom-v1", "--out", tmp_path / "out", "--json")
    assert json.loads(out)["parts"] == {"balanced": 256, "natural": 2100}
