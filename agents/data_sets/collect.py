"""Plays a task and writes its steps: from `envs.collect`'s steps to `data`'s rows on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from calm.records import LabelledTransition
from data.parquet import write_transitions
from envs.collect import play
from envs.tasks import task as find_task
from envs.truth.make import with_truth


def played_rows(
    task: str, *, players: Sequence[str], episodes: int, seed: int, split: str, console: Console
) -> Iterator[LabelledTransition]:
    """Yields every step of `episodes` episodes with each of the players, who take turns.

    How many episodes are played is shown on the console.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    total = episodes * len(players)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("episodes played", total=total)
        for played in play(task, players, episodes=total, split=split, seed=seed):
            if played.transition.terminated or played.transition.truncated:
                progress.advance(bar)
            yield played


def collect_file(
    path: Path,
    task: str,
    *,
    players: Sequence[str],
    episodes: int,
    seed: int,
    split: str,
    console: Console,
) -> dict[str, Any]:
    """Plays a task and writes every step to `path`; returns what `write_rows` says is in it.

    Raises:
        KeyboardInterrupt: stopped by Ctrl-C. What was played until then, the episode that was cut
            off included, is in the file `partial_path(path)`, and the console says so.
    """
    rows: list[LabelledTransition] = []
    try:
        for row in played_rows(
            task, players=players, episodes=episodes, seed=seed, split=split, console=console
        ):
            rows.append(row)
    except KeyboardInterrupt:
        console.print(Text(_keep_partial(partial_path(path), task, rows)), soft_wrap=True)
        raise
    return write_rows(path, task, rows)


def partial_path(path: Path) -> Path:
    """Where the rows go that were played before Ctrl-C; a whole file is never replaced by them."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def _keep_partial(path: Path, task: str, rows: Sequence[LabelledTransition]) -> str:
    """Writes what was played so far and says where it is; without rows nothing is written."""
    if not rows:
        return "stopped before the first step; nothing was written"
    about = write_rows(path, task, rows)
    last = rows[-1].transition
    cut = "" if last.terminated or last.truncated else ", the last one cut off"
    return f"{about['transitions']} transitions of {about['episodes']} episodes{cut} are in {path}"


def write_rows(path: Path, task: str, rows: Sequence[LabelledTransition]) -> dict[str, Any]:
    """Writes the rows as parquet.

    Returns:
        `file`, `transitions`, `episodes`, and `achieved`: by subgoal, in how many transitions; None
        where the truth is not known.
    """
    known = find_task(task)
    write_transitions(path, rows, {known.id: known})
    achieved = Counter(name for row in rows for name, yes in row.truth.items() if yes)
    told = {s.name for s in with_truth(known)}
    return {
        "file": str(path),
        "transitions": len(rows),
        "episodes": len({row.transition.episode for row in rows}),
        "achieved": {s.name: achieved[s.name] if s.name in told else None for s in known.subgoals},
    }
