"""Discovered subgoals for the tasks of a set: which file is about which task.

A file of subgoals, as `calm decompose` writes it, names its task. Given as TASK=FILE it is about
that task, whatever it says; one that names no task is about every task that no other file is about.
In place of a file the start of the hash of a list will do that the store keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from calm.errors import UsageError, unknown
from calm.records import Subgoal, Task
from calm.store.store import Store
from calm.subgoals import read_subgoals
from calm.tasks import full_id
from calm.yaml_files import read_yaml
from data.evaluation.subgoal_match import Match, match

Overrule = Mapping[str, str | None]


def read_discovered(
    files: Sequence[str], tasks: Collection[str], store: Store | None = None
) -> dict[str, tuple[Subgoal, ...]]:
    """Returns the discovered subgoals of each task.

    Args:
        files: `FILE` or `TASK=FILE`, or a hash's first letters, four at least, for FILE.
        tasks: ids of the tasks that are asked about; every one must get its subgoals.
        store: where lists are stored by hash.

    Raises:
        UsageError: a file cannot be read, two are about one task, or one is about none of the
            tasks; or a task has no file.
    """
    by_task: dict[str, tuple[Subgoal, ...]] = {}
    anywhere: tuple[Subgoal, ...] | None = None
    for file in files:
        named, _, path = file.rpartition("=")
        if Path(path).is_file() or (stored := _stored(path, tasks, store)) is None:
            subgoals = read_subgoals(Path(path))
            task = task_named(named, tasks) if named else task_of_file(Path(path), tasks)
        else:
            own, subgoals = stored
            task = task_named(named, tasks) if named else own
        if task is None:
            if anywhere is not None:
                raise UsageError(f"{file}: a second file that names no task; write TASK={path}")
            anywhere = subgoals
        elif task in by_task:
            raise UsageError(f"{file}: a second file of subgoals for {task}")
        else:
            by_task[task] = subgoals
    missing = [task for task in tasks if task not in by_task]
    if missing and anywhere is None:
        raise UsageError(
            f"no discovered subgoals for {', '.join(missing)}: add --discovered TASK=FILE (`calm"
            f" decompose TASK --out FILE` makes one), or choose the others with --task"
        )
    return by_task | {task: anywhere for task in missing if anywhere is not None}


def _stored(
    start: str, tasks: Collection[str], store: Store | None
) -> tuple[str, tuple[Subgoal, ...]] | None:
    """Returns the task and list in the store whose hash starts so; None unless there is one."""
    if store is None or len(start) < 4:
        return None
    lists = [
        (task, subgoals)
        for task in tasks
        for name, subgoals in store.subgoal_sets(task).items()
        if name.startswith(start)
    ]
    return lists[0] if len(lists) == 1 else None


def task_named(name: str, tasks: Collection[str]) -> str:
    """Returns the id that a name means, `MiniHack-` and `-v0` left out or not.

    Raises:
        UsageError: the set has no such task.
    """
    if (id := full_id(name, tasks)) is None:
        raise unknown("task of this set", name, tasks)
    return id


def task_of_file(path: Path, tasks: Collection[str]) -> str | None:
    """Returns the task that a file of subgoals says it is about; None where it says nothing."""
    value = read_yaml(path, "the subgoals")
    named = value.get("task") if isinstance(value, dict) else None
    return None if named is None else task_named(str(named), tasks)


def read_overrule(path: Path) -> dict[str, Overrule]:
    """Returns what overrules the matching, by task; the key "" is for every task.

    The file is JSON: {"discovered": "given" or null, ...}, or {"TASK": {such a mapping}, ...}.

    Raises:
        UsageError: it is not such a file.
    """
    value = read_yaml(path, "what overrules the matching")
    if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
        by_task = value
    else:
        by_task = {"": value}
    for mapping in by_task.values():
        if not isinstance(mapping, dict) or not all(
            v is None or isinstance(v, str) for v in mapping.values()
        ):
            raise UsageError(
                f'{path}: expected {{"discovered name": "given name" or null, …}}, or one such'
                " mapping for each task"
            )
    return by_task


def match_all(
    tasks: Mapping[str, Task],
    by_task: Mapping[str, tuple[Subgoal, ...]],
    overrule: Mapping[str, Overrule],
) -> dict[str, Match]:
    """Returns which given subgoal each discovered one means, by task.

    Raises:
        UsageError: `overrule` names a task, a discovered or a given subgoal that is not there.
    """
    shared = overrule.get("", {})
    names = {s.name for subgoals in by_task.values() for s in subgoals}
    for name in shared:
        if name not in names:
            raise unknown("discovered subgoal", name, names)
    own = {task_named(named, tasks): by for named, by in overrule.items() if named}
    matches = {}
    for id, task in tasks.items():
        mine = {s.name for s in by_task[id]}
        here = {name: meant for name, meant in shared.items() if name in mine}
        matches[id] = match(by_task[id], task.subgoals, here | dict(own.get(id, {})))
    return matches
