"""A labelling round: which rows of a set are labelled, by whom, on a served page or on files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calm.errors import UsageError, unknown
from calm.records import LabelledTransition, Subgoal, Task
from data.dataset import Dataset, load
from data.judgements import read_judgements
from data.label.assignment import assign, read_people
from data.label.export_page import write_page
from data.label.session import Session
from data.label.store import LabelStore, check_annotator
from data.sampling import HOW, draw, draw_disputed, draw_even


@dataclass(frozen=True, slots=True)
class LabellingRound:
    """What `calm label` is asked to do, in words."""

    data: str
    """Name of a set, its folder, or a parquet file."""
    part: str = ""
    """Of the set; the first if empty."""
    limit: int = 0
    """Rows to label; 0 for all."""
    sample: str = "shares"
    """How they are drawn, see `data.sampling.HOW`."""
    answers: tuple[Path, ...] = ()
    """Judges' answers, for `disputed`."""
    people: str = ""
    """Names with commas between; empty gives every row to whoever labels."""
    overlap: int = 2
    """To how many of the people each row goes."""
    seed: int = 0
    """Of the draw and of who gets what."""
    annotator: str = ""
    """Who labels; empty where pages are made for several, or for nobody in particular."""


def session_of(plan: LabellingRound, store: LabelStore) -> Session:
    """Returns what the annotator of a round labels on a served page.

    Raises:
        UsageError: no name, or one that is not among the people of the round.
    """
    name = check_annotator(plan.annotator)
    dataset = load(plan.data)
    rows, tasks = _rows(plan, dataset)
    mine = _of(plan, rows)
    if plan.people and name not in mine:
        raise unknown("annotator of this round", name, mine)
    return Session(name, mine.get(name, rows), tasks, store, dataset.version(plan.part))


def write_pages(
    plan: LabellingRound,
    path: Path,
    discovered: Callable[[Collection[str]], Mapping[str, Sequence[Subgoal]]] | None = None,
) -> list[tuple[Path, int]]:
    """Writes a page, or for several people a folder of pages.

    Args:
        plan: who labels what.
        path: the .html file; with several people the folder.
        discovered: from the ids of the tasks to the subgoals that a model named for each; the
            pages ask which given one each means.

    Returns:
        Each file, and how many transitions it has.
    """
    dataset = load(plan.data)
    rows, tasks = _rows(plan, dataset)
    named = discovered(tasks) if discovered else {}
    version = dataset.version(plan.part)
    if not plan.people:
        if path.suffix != ".html":
            raise UsageError(f"--export writes an .html file, got {path}")
        name = check_annotator(plan.annotator) if plan.annotator else ""
        write_page(path, rows, tasks, version, name, named)
        return [(path, len(rows))]
    written: list[tuple[Path, int]] = []
    for name, mine in _of(plan, rows).items():
        file = path / f"{_file_name(name)}.html"
        if file in [other for other, _ in written]:
            raise UsageError(f"--people: the page of {name!r} would overwrite another's, {file}")
        write_page(file, mine, tasks, version, name, named)
        written.append((file, len(mine)))
    return written


def _rows(
    plan: LabellingRound, dataset: Dataset
) -> tuple[list[LabelledTransition], dict[str, Task]]:
    part = dataset.part(plan.part)
    if plan.sample not in HOW:
        raise unknown("way to draw", plan.sample, HOW)
    if plan.sample == "disputed":
        if not plan.answers:
            raise UsageError("--sample disputed needs --answers, a file of evaluate --out")
        judged = [row for file in plan.answers for row in read_judgements(file)]
        return list(draw_disputed(part, plan.limit, judged, plan.seed)), part.tasks
    if plan.answers:
        raise UsageError("--answers is for --sample disputed alone")
    drawn = draw_even if plan.sample == "even" else draw
    return list(drawn(part, plan.limit, plan.seed)), part.tasks


def _of(
    plan: LabellingRound, rows: list[LabelledTransition]
) -> dict[str, list[LabelledTransition]]:
    """Returns the rows of each of the people; {} where nobody is named."""
    if not plan.people:
        return {}
    ids = list(dict.fromkeys(r.transition.id for r in rows))
    shared = assign(ids, read_people(plan.people), plan.overlap, plan.seed)
    return {name: [r for r in rows if r.transition.id in of] for name, of in shared.items()}


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
