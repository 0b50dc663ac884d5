"""Plays a task and writes its steps as parquet, which `calm evaluate` and others read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from calm.errors import UsageError
from calm.records import LabelledTransition
from data.parquet import read_transitions, task_dict, write_transitions
from envs.collect import play, versions
from envs.players.make import make_player
from envs.tasks import task as find_task
from envs.truth.make import with_truth


def played_rows(
    task: str,
    *,
    players: Sequence[str],
    episodes: int,
    first: int = 0,
    seed: int,
    split: str,
    descriptions: int = 1,
    console: Console,
) -> Iterator[LabelledTransition]:
    """Yields every step of `episodes` episodes with each of the players, who take turns.

    The number of episodes played so far is shown on the console. The other arguments are those of
    `envs.collect.play`.

    Args:
        first: episodes of all players together that were played before; they are passed over.
    """
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    total = episodes * len(players)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("episodes played", total=total, completed=min(first, total))
        if first >= total:
            return
        for row in play(
            task,
            players,
            episodes=total - first,
            first=first,
            split=split,
            seed=seed,
            descriptions=descriptions,
        ):
            if _ends(row):
                progress.advance(bar)
            yield row


def collect_file(
    path: Path,
    task: str,
    *,
    players: Sequence[str],
    episodes: int,
    seed: int,
    split: str,
    descriptions: int = 1,
    console: Console,
) -> dict[str, Any]:
    """Plays a task and writes every step to `path`; returns what `write_rows` says is in it.

    Episodes that an interrupted call with the same arguments has left in `partial_path(path)` are
    taken from there: the file is the one that an uninterrupted call would have written.

    Raises:
        UsageError: the partial file is of a call with other arguments.
        KeyboardInterrupt: stopped by Ctrl-C. What was played until then, the episode that was cut
            off included, is in the file `partial_path(path)`, and the console says so.
    """
    partial = partial_path(path)
    rows = _whole_episodes(partial, task, players, seed, split, descriptions)
    finished = sum(map(_ends, rows))
    if finished:
        console.print(Text(f"resuming after {finished} episodes of {partial}"), soft_wrap=True)
    total = episodes * len(players)
    rows = [row for row in rows if int(row.provenance["number"]) < total]
    try:
        for row in played_rows(
            task,
            players=players,
            episodes=episodes,
            first=finished,
            seed=seed,
            split=split,
            descriptions=descriptions,
            console=console,
        ):
            rows.append(row)
    except KeyboardInterrupt:
        console.print(Text(_keep_partial(partial, task, rows)), soft_wrap=True)
        raise
    about = write_rows(path, task, rows)
    partial.unlink(missing_ok=True)
    return about


def partial_path(path: Path) -> Path:
    """Returns the file for rows that Ctrl-C cut short, which never replace a whole file."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def _whole_episodes(
    partial: Path, task: str, players: Sequence[str], seed: int, split: str, descriptions: int
) -> list[LabelledTransition]:
    """Returns the rows of the whole episodes that an interrupted call has left, if any.

    Raises:
        UsageError: the file can't be read, or holds what these arguments would not have played.
    """
    if not partial.exists():
        return []
    known = find_task(task)
    names = [make_player(player, known).name for player in players]
    content = read_transitions(partial)

    def expected(number: int) -> dict[str, str]:
        """Returns the provenance that the rows of an episode must have."""
        player = names[number % len(names)]
        of_call = {"player": player, "versions": versions(), "split": split, "seed": str(seed)}
        return of_call | {"number": str(number)}

    rows = list(content.rows)
    while rows and not _ends(rows[-1]):  # an episode that was cut off is played anew
        rows.pop()
    number = 0
    same = {name: task_dict(t) for name, t in content.tasks.items()} == {known.id: task_dict(known)}
    for row in rows:
        same = same and expected(number).items() <= row.provenance.items()
        same = same and row.provenance.get("descriptions", "1") == str(descriptions)
        number += _ends(row)
    if not same:
        raise UsageError(
            f"{partial} holds what an interrupted `calm collect` with another task, other players,"
            " another seed or split, or another version of the game has played; move it away, or"
            " name another --out"
        )
    return rows


def _keep_partial(path: Path, task: str, rows: Sequence[LabelledTransition]) -> str:
    """Writes the rows so far, if any, into the partial file; returns a sentence that says where."""
    if not rows:
        return "stopped before the first step; nothing was written"
    about = write_rows(path, task, rows)
    cut = "" if _ends(rows[-1]) else ", the last one cut off,"
    return (
        f"{about['transitions']} transitions of {about['episodes']} episodes{cut} are in {path};"
        " the same command resumes after the last whole one"
    )


def _ends(row: LabelledTransition) -> bool:
    """Returns whether a row is the last of its episode."""
    return row.transition.terminated or row.transition.truncated


def write_rows(path: Path, task: str, rows: Sequence[LabelledTransition]) -> dict[str, Any]:
    """Writes the rows as parquet.

    Returns:
        `file`, `transitions`, `episodes`, and `achieved`: by subgoal, in how many transitions; None
        where the truth is not known.
    """
    known = find_task(task)
    write_transitions(path, rows, {known.id: known})
    achieved = Counter(name for row in rows for name, yes in row.truth.items() if yes)
    with_known_truth = {s.name for s in with_truth(known)}
    return {
        "file": str(path),
        "transitions": len(rows),
        "episodes": len({row.transition.episode for row in rows}),
        "achieved": {
            s.name: achieved[s.name] if s.name in with_known_truth else None for s in known.subgoals
        },
    }
