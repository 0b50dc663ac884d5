"""Plays and keeps: from `envs.collect`'s steps to `data`'s rows on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from data.parquet import write_transitions
from data.schema import Frame, LabelledTransition
from envs.collect import Played, play
from envs.tasks import task as find_task


def row_of(played: Played) -> LabelledTransition:
    """A played step as the row that is kept of it."""
    return LabelledTransition(
        played.transition,
        played.truth,
        played.provenance,
        Frame(played.before.chars, played.before.colours),
        Frame(played.after.chars, played.after.colours),
    )


def collect_rows(
    task: str, *, players: Sequence[str], episodes: int, seed: int, split: str, console: Console
) -> list[LabelledTransition]:
    """Plays `episodes` episodes with each of the players in turn, showing how far it is."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    rows: list[LabelledTransition] = []
    total = episodes * len(players)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("episodes played", total=total)
        for played in play(task, players, episodes=total, split=split, seed=seed):
            rows.append(row_of(played))
            if played.transition.terminated or played.transition.truncated:
                progress.advance(bar)
    return rows


def write_rows(path: Path, task: str, rows: Sequence[LabelledTransition]) -> dict[str, Any]:
    """Writes the rows as parquet and says what is in them."""
    known = find_task(task)
    write_transitions(path, rows, {known.id: known})
    achieved = Counter(name for row in rows for name, yes in row.truth.items() if yes)
    return {
        "file": str(path),
        "transitions": len(rows),
        "episodes": len({row.transition.episode for row in rows}),
        "achieved": {s.name: achieved[s.name] for s in known.subgoals},
    }
