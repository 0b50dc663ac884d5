"""The episodes of a run's agent as a table with a card."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from agents.inspection.recording import record_run
from agents.sharing.run_table import STEPS, write_run_table
from agents.training.run.folder import Run


def test_every_frame_is_a_row_and_the_card_tells_of_the_agent(run: Run, tmp_path: Path) -> None:
    recording = record_run(run, 2)
    write_run_table(run, recording, tmp_path / "out", "mit")
    table = pq.read_table(tmp_path / "out" / "steps.parquet")
    assert table.schema.names == STEPS.names
    frames = [step for episode in recording.episodes for step in episode]
    assert table.column("events").to_pylist() == [step.event for step in frames]
    assert table.column("reward").to_pylist() == [step.r_env for step in frames]
    text = (tmp_path / "out" / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "mit"
    assert "trained for 64 steps on the environment's reward and credit by rules" in text
    assert "| reach the staircase down |" in text


@pytest.mark.slow
def test_the_real_library_loads_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    recording = record_run(run, 2)
    write_run_table(run, recording, tmp_path / "out")
    cache = str(tmp_path / "cache")
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache)
    frames = [step for episode in recording.episodes for step in episode]
    assert [row["chars"] for row in rows] == [step.chars for step in frames]
    assert all(len(row["glyphs"]) == 21 * 79 for row in rows)
