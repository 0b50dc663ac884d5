"""Labels from files of others: each row is taken, or told with the reason why it is not.

Files may be those of the exported page (.json), Label Studio's JSON export, CSV with columns of
any name, or the .csv and .parquet that `calm labels export` writes. They come from strangers:
nothing in them is trusted, one bad row costs no other, and what is in the store already stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calm.errors import UsageError, unknown
from calm.records import Task
from data.dataset import Dataset
from data.label.import_formats import Imported, ImportOptions, Problem, read_entries
from data.label.store import LabelStore, check_annotator
from data.schema import Label

MAX_SECONDS = 30 * 86_400.0
"""Nobody looks at a step for longer than a month; such a number is a clock's fault."""


def import_file(
    path: Path, store: LabelStore, options: ImportOptions, dataset: Dataset | None = None
) -> Imported:
    """Adds the labels of a file to a store.

    Args:
        path: the file.
        store: gets the labels.
        options: how the file is read.
        dataset: what the labels must be of; None does not look.

    Raises:
        UsageError: the whole file cannot be read.
    """
    result = Imported()
    tasks = _tasks_by_id(dataset)
    names = {name.casefold(): name for name in store.annotators()}
    present = {(label.annotator, label.id): label for label in store.labels()}
    for number, entry in read_entries(path, options, result):
        try:
            if isinstance(entry, ValueError):
                raise entry
            label = _checked(entry, options, tasks, dataset, names)
            known = present.get((label.annotator, label.id))
            if known is not None and _same(known, label):
                result.known += 1
                continue
            if known is not None and not options.replace:
                raise ValueError(
                    f"{label.annotator} answered {known.kind()!r} already, this says"
                    f" {label.kind()!r}; kept as it was (--replace takes the new one)"
                )
        except (ValueError, UsageError) as error:
            result.problems.append(Problem(number, str(error)))
            continue
        store.add_from_elsewhere(label)
        names[label.annotator.casefold()] = label.annotator
        present[label.annotator, label.id] = label
        result.new += 1
    return result


def merge_meanings(meanings: dict[str, dict[str, str | None]], result: Imported) -> None:
    """Adds what a file says that discovered subgoals mean; where it differs, that is a problem.

    Args:
        meanings: by task and discovered subgoal, from the files before; gets what is new.
        result: of the file; gets a problem (of row 0) for each meaning that is another already.
    """
    for task, of in result.matches.items():
        present = meanings.setdefault(task, {})
        for name, meant in of.items():
            if present.setdefault(name, meant) != meant:
                words = [one or "none of them" for one in (present[name], meant)]
                reason = f"{task}: {name!r} means {words[0]} by an earlier file, {words[1]} here"
                result.problems.append(Problem(0, f"{reason}; the earlier is kept"))


def _checked(
    entry: Label,
    options: ImportOptions,
    tasks: Mapping[str, Task],
    dataset: Dataset | None,
    names: Mapping[str, str],
) -> Label:
    """Returns a label as it will be stored.

    Raises:
        ValueError: it can't be; says why.
    """
    label = replace(entry, annotator=options.annotator or entry.annotator)
    label = replace(label, annotator=check_annotator(label.annotator))
    if not label.id:
        raise ValueError("no id of a transition")
    for text in (label.id, label.reads, label.set, label.page, *label.asked, *label.achieved):
        if not text.isprintable():
            raise ValueError(f"{text[:64]!r} holds control characters")
    known = names.get(label.annotator.casefold())
    if known not in (None, label.annotator):
        raise ValueError(
            f"the annotator {label.annotator!r} differs from {known!r} in case alone; if they are"
            f" one person, import with --as {known!r}"
        )
    if dataset is not None:
        label = _of_set(label, tasks, dataset)
    if not label.asked:
        raise ValueError("it does not say which subgoals were offered; name the set with --data")
    if extra := set(label.achieved) - set(label.asked):
        raise ValueError(f"achieved names what was not asked: {', '.join(sorted(extra))}")
    if not 0 <= label.seconds <= MAX_SECONDS:
        raise ValueError(f"seconds is {label.seconds:g}, expected 0 to {MAX_SECONDS:g}")
    _check_time(label.at)
    return label


def _of_set(label: Label, tasks: Mapping[str, Task], dataset: Dataset) -> Label:
    """Returns a label with the subgoals of its transition's task where it names none."""
    task = tasks.get(label.id)
    if task is None:
        of = f"; the label is of {label.set}" if label.set else ""
        raise ValueError(f"{dataset.name} has no transition {label.id[:12]}{of}")
    names = [s.name for s in task.subgoals]
    offered = label.asked or tuple(names)
    if missing := [n for n in names if n not in offered]:
        raise ValueError(
            f"it was asked about {', '.join(offered)}; {dataset.name} asks about"
            f" {', '.join(missing)} too"
        )
    if strange := [n for n in label.achieved if n not in offered]:
        raise unknown("subgoal", strange[0], offered)
    return replace(label, asked=offered)


def _tasks_by_id(dataset: Dataset | None) -> dict[str, Task]:
    """Returns the task of every transition of a set, by the transition's id."""
    if dataset is None:
        return {}
    return {
        row.transition.id: part.tasks[row.transition.task]
        for part in dataset.parts.values()
        for row in part.rows
    }


def _check_time(at: str) -> None:
    """Refuses a time that can't be, with ValueError; a missing one is let be."""
    if re.fullmatch(r"(\d{4}(-\d\d)?)?", at):
        return
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise ValueError(f"at is {at[:32]!r}, expected a time as 2026-01-31T12:00:00Z") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if not when.year >= 1970 or when > datetime.now(UTC) + timedelta(days=2):
        raise ValueError(f"at is {at[:32]!r}, which has not come yet; the clock was wrong")


def _same(a: Label, b: Label) -> bool:
    """Returns whether two labels of a person about a transition say the same."""
    return a.unsure == b.unsure and set(a.achieved) == set(b.achieved)
