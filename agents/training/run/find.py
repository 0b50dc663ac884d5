"""Finds the folders of runs that a folder, or a shell's pattern, names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from calm.errors import UsageError

CONFIG = "config.yaml"
"""The file that makes a folder that of a run."""
DEEPEST = 6
"""Folders below one that is named, at most: a study's runs lie four deep."""
_PASSED_OVER = ("tensorboard", "wandb")


def find_runs(names: Sequence[str | Path]) -> list[Path]:
    """Returns the folders of runs, each once, in the order of the names.

    Args:
        names: folders of runs, folders that hold such at any depth, as a study's does, and
            patterns such as `runs/*`, which a shell has not filled in.

    Raises:
        UsageError: one names nothing, or there is no run in what it names.
    """
    runs: dict[Path, None] = {}
    for name in names:
        of_name = [run for folder in matching(name) for run in runs_in(folder)]
        if not of_name:
            what = "holds no run" if matching(name) else "holds no run, as there is no such folder"
            raise UsageError(
                f"{name} {what}: expected a run's folder ({CONFIG} in it), a folder that"
                " holds such folders, as `calm train` and `calm study` make them, or a pattern"
                " such as 'runs/*'"
            )
        runs |= dict.fromkeys(of_name)
    return list(runs)


def matching(name: str | Path) -> list[Path]:
    """Returns the paths that a name or a pattern stands for, sorted; [] where there are none."""
    path = Path(name).expanduser()
    if path.exists():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]


def runs_in(folder: Path) -> list[Path]:
    """Returns a run's folder itself, or those of the runs below a folder, sorted."""
    return [inside for inside, _, files in walk(folder) if CONFIG in files]


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields folders with the names of their folders and files, each sorted, but not those in runs.

    What is hidden, what can't be read, and what is no file, such as a pipe, is passed over.
    """
    for path, folders, files in os.walk(folder):
        inside = Path(path)
        deep = len(inside.relative_to(folder).parts)
        if CONFIG in files or deep >= DEEPEST:
            folders.clear()
        folders[:] = sorted(
            name for name in folders if name not in _PASSED_OVER and not name.startswith(".")
        )
        yield inside, folders, sorted(name for name in files if (inside / name).is_file())
