"""Reads a study's plan from its YAML file, which is what people read and change first.

What a plan can't mean is refused before anything is trained: parts and names that are none, two
arms of one label, settings that cells have of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.study.plan import ArmPlan, Plan
from calm.errors import UsageError, unknown
from calm.tasks import is_task_file
from calm.yaml_files import read_yaml

FOLDER = Path(__file__).parent
"""Of the studies that have a name."""
PARTS = ("title", "all", "tasks", "arms", "compare", "figures", "by_seconds")
"""What a plan may have; names that begin with x- are left to YAML's anchors."""
PARTS_OF_AN_ARM = ("label", "reward", "set", "not_on")

MOST_BYTES = 200
"""Of the name of a task or an arm, which file systems take with an ending."""


def load_plan(name: str, path: Path | None = None) -> Plan:
    """Returns the plan of a study by name, or from a file of one's own.

    Raises:
        UsageError: no such study, or a file that is none.
    """
    if path is not None and not path.is_file():
        raise UsageError(f"there is no file {path} to read a study's plan from")
    path = path or FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise unknown("study", name, [p.stem for p in FOLDER.glob("*.yaml")])
    read = read_yaml(path, "the study")
    parts = read if isinstance(read, dict) else {}
    if missing := [part for part in ("title", "tasks", "arms") if not parts.get(part)]:
        raise UsageError(
            f"{path} is no study: it lacks {' and '.join(missing)}; see keyroom.yaml in {FOLDER}"
        )
    _refuse_unknown("part of a study", parts, PARTS)
    try:
        plan = Plan(
            name=name,
            title=_text(read["title"], "the title"),
            common=_mapping(read.get("all"), "all"),
            tasks={
                task: _task_settings(_mapping(values, f"the task {task}"), path.parent)
                for task, values in _mapping(read["tasks"], "tasks").items()
            },
            arms={arm: _arm(arm, values) for arm, values in _mapping(read["arms"], "arms").items()},
            compare=[_pair(pair) for pair in _list(read.get("compare"), "compare")],
            figures={
                _text(title, "the title of a figure"): _names(arms, f"the figure {title!r}")
                for title, arms in _mapping(read.get("figures"), "figures").items()
            },
            by_seconds=_truth(read.get("by_seconds", False), "by_seconds"),
        )
        for cell_name in (*plan.tasks, *plan.arms):
            _check_folder_name(cell_name)
        _check_settings(plan)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{path} is no study: {type(error).__name__}: {error}; it needs title, tasks and arms,"
            " and of each arm label, reward and set (see keyroom.yaml)"
        ) from None
    for arm in {a for pair in plan.compare for a in pair}.union(*plan.figures.values()):
        if arm not in plan.arms:
            raise unknown(f"arm of the study {name}", arm, plan.arms)
    for task in {task for planned in plan.arms.values() for task in planned.not_on}:
        if task not in plan.tasks:
            raise unknown(f"task of the study {name}", task, plan.tasks)
    cells = plan.cells(1)
    if not cells:
        raise UsageError(f"{path} has nothing to train: every arm is not_on every task")
    for cell in cells:
        plan.config(cell)
    return plan


def _arm(name: str, values: Mapping[str, Any]) -> ArmPlan:
    """Returns an arm as the file has it; raises ValueError, KeyError or TypeError for another."""
    if not isinstance(values, Mapping):
        raise ValueError(f"the arm {name} is to have a label, a reward and settings")
    _refuse_unknown(f"part of the arm {name}", values, PARTS_OF_AN_ARM)
    return ArmPlan(
        _text(values["label"], f"the label of {name}"),
        _text(values["reward"], f"the reward of {name}"),
        _mapping(values["set"], f"set of {name}"),
        _names(_list(values.get("not_on"), f"not_on of {name}"), f"not_on of {name}"),
    )


def _pair(names: object) -> tuple[str, str]:
    """Returns two arms to compare; raises ValueError where they are not two names."""
    first, second = _names(names, "each pair of compare")
    return first, second


def _mapping(value: object, what: str) -> dict[Any, Any]:
    """Returns a mapping, empty for None; raises ValueError where it is none."""
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{what} is to be names with values, as {{crop: 15}}, not {value!r}")
    return dict(value or {})


def _list(value: object, what: str) -> list[Any]:
    """Returns a list, empty for None; raises ValueError where it is none."""
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{what} is to be a list, not {value!r}")
    return value or []


def _truth(value: object, what: str) -> bool:
    """Returns true or false; raises ValueError for anything else."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} is to be true or false, not {value!r}")
    return value


def _names(value: object, what: str) -> list[str]:
    """Returns a list of names; raises ValueError where it is none."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{what} is to be a list of names, as [fair, rules], not {value!r}")
    return value


def _text(value: object, what: str) -> str:
    """Returns words in one line; raises ValueError where there are none."""
    words = "" if value is None or isinstance(value, list | dict) else " ".join(str(value).split())
    if not words:
        raise ValueError(f"{what} is to be some words, not {value!r}")
    return words


def _refuse_unknown(kind: str, parts: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises a UsageError for a name that means nothing, which else would go unnoticed."""
    for name in map(str, parts):
        if name not in known and not name.startswith("x-"):
            raise unknown(kind, name, known)


def _check_settings(plan: Plan) -> None:
    """Raises ValueError where two arms have one label, or settings say what tells cells apart."""
    labels = [arm.label for arm in plan.arms.values()]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise ValueError(
            f"two arms have the label {twice.pop()!r}, by which tables tell them apart"
        )
    for where, settings, own in (
        ("all", plan.common, ("task", "seed")),
        *((f"the task {name}", values, ("seed",)) for name, values in plan.tasks.items()),
        *((f"the arm {name}", arm.settings, ("task", "seed")) for name, arm in plan.arms.items()),
    ):
        if found := settings.keys() & set(own):
            raise ValueError(
                f"{where} sets {found.pop()}, which each cell has of its own: name tasks under"
                " tasks, and choose seeds by --seeds and --first-seed"
            )


def _check_folder_name(name: object) -> None:
    """Raises ValueError where the name of a task or an arm is none for a folder of its own."""
    good = isinstance(name, str) and name.strip() and name.isprintable() and "/" not in name
    if not good or str(name).startswith(".") or len(str(name).encode()) > MOST_BYTES:
        raise ValueError(
            f"the name {str(name)[:80]!r} is to be text that a folder can have: without / and"
            " control characters, and no . in front"
        )


def _task_settings(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Returns a task's settings; the path of a file that describes it counts from the plan's."""
    if "task" in values and not isinstance(values["task"], str):
        raise ValueError(f"task is to be an id or a file, not {values['task']!r}")
    if is_task_file(values.get("task", "")):
        return {**values, "task": str(folder / values["task"])}
    return dict(values)
