"""Exports a set or a run's episodes; what `calm data export` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.inspection.recording import FILE, Recording, record_run
from agents.sharing.episodes import Episodes, episodes_of_recording, episodes_of_rows
from agents.sharing.run_table import write_run_table
from agents.training.run.folder import Run
from calm.errors import UsageError
from data.dataset import load
from data.sharing.datasets_folder import write_datasets_folder

EPISODES = 4
"""An agent plays so many where nobody says how many and none are recorded."""


def export_tables(
    source: str, out: Path, episodes: int | None = None, seed: int | None = None, licence: str = ""
) -> dict[str, Any]:
    """Writes a set or a run's episodes as a folder that Hugging Face `datasets` loads.

    Args:
        source: name or folder of a set, a parquet file of transitions, or a run's folder.
        out: a new folder.
        episodes, seed: of a run, see `recorded`.
        licence: the hub's id of it; "" for the set's own.

    Raises:
        UsageError: as `write_datasets_folder`, `recorded`.
    """
    if (run := _run(source)) is not None:
        if out.exists():  # better said before anything is played
            raise UsageError(f"{out} is there already; name a new folder")
        return write_run_table(run, recorded(run, episodes, seed), out, licence)
    _refuse_of_runs(source, episodes, seed)
    return write_datasets_folder(source, out, licence)


def export_minari(
    source: str,
    root: Path,
    part: str = "",
    episodes: int | None = None,
    seed: int | None = None,
    name: str = "",
) -> list[dict[str, Any]]:
    """Writes whole episodes as Minari datasets, one a task; returns what is in each.

    Args:
        source: name or folder of a set, a parquet file of `calm collect`, or a run's folder.
        root: folder of Minari datasets.
        part: of a set; the first by default.
        episodes, seed: of a run, see `recorded`.
        name: the last part of the datasets' ids; that of the source by default.

    Raises:
        UsageError: the source holds no whole episodes, or the dataset is there already.
    """
    if (run := _run(source)) is not None:
        config = run.config
        by_task = [episodes_of_recording(recorded(run, episodes, seed), config.described)]
        about = f"an agent of CALM, {config.name}"
        name = name or Path(source).resolve().name
    else:
        _refuse_of_runs(source, episodes, seed)
        dataset = load(source)
        rows = dataset.part(part)
        about = "/".join(filter(None, (dataset.name, part)))
        by_task = episodes_of_rows(rows.rows, rows.tasks, about)
        name = name or dataset.name
    return _write_all(by_task, root, name, about)


def _write_all(by_task: list[Episodes], root: Path, name: str, about: str) -> list[dict[str, Any]]:
    from agents.sharing.minari_dataset import write_minari  # with gymnasium, which sets don't need

    return [write_minari(episodes, root, name, about) for episodes in by_task]


def _run(source: str) -> Run | None:
    """Returns the run in a folder; None where it holds none."""
    return Run(Path(source)) if (Path(source) / "config.yaml").is_file() else None


def _refuse_of_runs(source: str, episodes: int | None, seed: int | None) -> None:
    if episodes is not None or seed is not None:
        raise UsageError(f"--episodes and --seed are of a run's folder, and {source} is none")


def recorded(run: Run, episodes: int | None = None, seed: int | None = None) -> Recording:
    """Returns episodes of a run's agent: those that lie in its folder, or played anew.

    Args:
        episodes: how many; None for those that are recorded, of the present checkpoint.
        seed: of levels and play; None for the run's own.

    Raises:
        UsageError: the run has no checkpoint.
    """
    path = run.folder / FILE
    if episodes is None and seed is None and path.exists():
        recording = Recording.read(path)
        if recording.trained == run.load_policy()[1]:
            return recording
    return record_run(run, episodes or EPISODES, seed)
