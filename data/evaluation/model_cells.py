"""What models answered, measured cell by cell: model × set × description × subgoals × form.

A folder holds an export of answers (`calm store export`) and `cells.yaml`:

    models:
      - name: Qwen2.5-Coder-1.5B         # as it is shown
        model: local:qwen...@cc324af0    # as the store names it
        discovered: {KeyRoom-S5: subgoals/qwen-s5.yaml}   # its own subgoals, where it named any
    cells:
      - {part: keyroom-v1 balanced, mode: events, form: booleans}
      - {part: keyroom-v1 natural, mode: events, form: lines, tasks: [KeyRoom-S5], fold: true}
      - {part: keyroom-v1 balanced, mode: crop, form: booleans, limit: 30, subgoals: discovered}

Every cell is measured for every model; no model is asked anything. A cell takes the rows that are
answered; one without any is missing, and is said to be. Of subgoals of a model's own it takes the
tasks of which the model has a file; the others are cells of their own.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm.errors import UsageError
from calm.records import Mode
from calm.store.store import Store
from calm.yaml_files import read_yaml
from data.dataset import load
from data.evaluation.discovered import task_named
from data.evaluation.evaluate import EvaluationTable
from data.evaluation.learn_thresholds import NoConfidence
from data.evaluation.own_subgoals import NoSubgoals, without_subgoals
from data.evaluation.plan import EvaluationPlan, chosen_parts
from data.evaluation.prompt_variants import FORM
from data.evaluation.run import NothingAnswered, run_evaluation
from data.scoring.score import Score
from data.store_export import import_store

CELLS = "cells.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelEntry(_Strict):
    """A model whose answers are in the export."""

    name: str
    model: str
    discovered: dict[str, str] = Field(default_factory=dict)
    """By task, the file of the subgoals it named, from the folder."""


class CellEntry(_Strict):
    """One way of asking about one set of transitions."""

    part: str = Field(pattern=r"^\S+ \S+$")
    """A set and a part of it."""
    mode: Mode = "events"
    form: str
    tasks: tuple[str, ...] = ()
    """Of the part; all if empty."""
    subgoals: Literal["given", "discovered"] = "given"
    limit: int = Field(0, ge=0)
    """Rows that are drawn, see `data.sampling`; 0 for all."""
    fold: bool = False
    """Whether thresholds are learned on each half for the other; else yes is what is likelier."""
    examples: bool = False
    """Whether the page shows what the models get wrong here."""


class CellPlan(_Strict):
    """What `cells.yaml` says."""

    models: tuple[ModelEntry, ...]
    cells: tuple[CellEntry, ...]


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """One cell of one model."""

    model: ModelEntry
    cell: CellEntry
    table: EvaluationTable | None
    """None where too little of it is answered to measure anything."""
    no_subgoals: dict[str, NoSubgoals] = field(default_factory=dict)
    """By the id of the task: that the model has no subgoals of its own to be asked about."""

    @property
    def answered(self) -> bool:
        """Whether the model was asked: then there is a score, or it named no subgoals."""
        return self.table is not None or bool(self.no_subgoals)

    @property
    def score(self) -> Score | None:
        return None if self.table is None else self.table.scores[0]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON: the cell, and its score as in `calm evaluate --json`."""
        named = {task: asdict(nothing) for task, nothing in self.no_subgoals.items()}
        return {
            "model": self.model.model,
            **self.cell.model_dump(exclude_defaults=True),
            "score": None if self.score is None else self.score.to_dict(),
            **({"no_subgoals": named} if named else {}),
        }


@dataclass(frozen=True, slots=True)
class Mistake:
    """A description that a model reads wrongly for one subgoal."""

    subgoal: str
    said_yes: bool
    text: str
    rows: int
    """Transitions with this description."""
    words: str
    """What the model said."""


def read_cells(folder: Path) -> CellPlan:
    """Returns the plan in a folder.

    Raises:
        UsageError: there is none, or it says something else than above.
    """
    path = folder / CELLS
    try:
        return CellPlan.model_validate(read_yaml(path, "the plan"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: {where}: {first['msg']}") from None


@contextmanager
def opened_answers(folder: Path) -> Iterator[Path]:
    """Gives the path of a store with the folder's answers, for as long as it is needed.

    Raises:
        UsageError: the folder holds no export.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "answers.sqlite"
        with Store(path) as store, store.transaction():  # one commit, not one an answer
            import_store(folder, store)
        yield path


def measure_cells(
    folder: Path, say: Callable[[str], None] = lambda line: None
) -> list[MeasuredCell]:
    """Returns every cell of every model, measured by replay of the folder's answers.

    Raises:
        UsageError: the folder holds no plan or no export, or a cell names what is not there.
    """
    plan = read_cells(folder)
    measured = []
    with opened_answers(folder) as store:
        for cell in plan.cells:
            for model in plan.models:
                say(f"{model.name}: {cell.part}, {cell.mode}, {cell.subgoals}, {cell.form}")
                measured += [
                    measure_cell(folder, store, model, one)
                    for one in _by_subgoals(store, model, cell)
                ]
    return measured


def _by_subgoals(store: Path, model: ModelEntry, cell: CellEntry) -> list[CellEntry]:
    """Returns a cell as one for each state of its tasks: the model's subgoals are in a file, or it
    was asked for some in vain, or nothing is known; the cell itself where all are in one state."""
    if cell.subgoals == "given":
        return [cell]
    files = _own_files(model, cell)
    with Store(store, readonly=True) as opened:
        in_vain = without_subgoals(opened, model.model)
    states: dict[str, list[str]] = {}
    for id, file in files.items():
        state = "named" if file else "in vain" if id in in_vain else "unknown"
        states.setdefault(state, []).append(id.removeprefix("MiniHack-").removesuffix("-v0"))
    if len(states) == 1:
        return [cell]
    return [cell.model_copy(update={"tasks": tuple(names)}) for names in states.values()]


def _own_files(model: ModelEntry, cell: CellEntry) -> dict[str, str]:
    """Returns the file of a model's own subgoals for each task of a cell, "" where it has none.

    Raises:
        UsageError: the model has a file for a task that the set doesn't have.
    """
    data, _, part = cell.part.partition(" ")
    dataset = load(data)
    known = {id for other in dataset.parts.values() for id in other.tasks}
    files = {task_named(name, known): file for name, file in model.discovered.items()}
    return {id: files.get(id, "") for id in chosen_parts(dataset, [part], cell.tasks)[part].tasks}


def measure_cell(folder: Path, store: Path, model: ModelEntry, cell: CellEntry) -> MeasuredCell:
    """Returns one cell of one model, measured by replay.

    Args:
        folder: where files of discovered subgoals are.
        store: file with the answers.

    Raises:
        UsageError: the cell names what is not there.
    """
    data, _, part = cell.part.partition(" ")
    discovered: tuple[str, ...] = ()
    with Store(store, readonly=True) as opened:
        if model.model not in opened.models():
            return MeasuredCell(model, cell, None)
        if cell.subgoals == "discovered":
            files = _own_files(model, cell)
            if not all(files.values()):
                in_vain = without_subgoals(opened, model.model)
                nothing = {id: in_vain[id] for id in files if id in in_vain}
                return MeasuredCell(model, cell, None, nothing)
            discovered = tuple(f"{id}={folder / file}" for id, file in files.items())
    plan = EvaluationPlan(
        data=data,
        judges=(f"replay:{model.model}",),
        modes=(cell.mode,),
        parts=(part,),
        tasks=cell.tasks,
        discovered=discovered,
        fold=cell.fold,
        answered=True,
        limit=cell.limit,
        store=store,
        options={FORM: cell.form},
    )
    try:
        (table,) = run_evaluation(plan)
    except (NothingAnswered, NoConfidence):
        return MeasuredCell(model, cell, None)
    return MeasuredCell(model, cell, table)


def mistakes(table: EvaluationTable, most: int = 6) -> list[Mistake]:
    """Returns what the first judge of a table gets wrong, what costs most transitions first."""
    score, mode = table.scores[0], table.scores[0].mode
    counted: Counter[tuple[str, bool, str]] = Counter()
    words: dict[tuple[str, bool, str], str] = {}
    for g, name in enumerate(table.reference.names):
        for i, row in enumerate(table.rows):
            truth, answer = table.reference.truth[i, g], score.answers[i, g]
            if truth >= 0 and answer >= 0 and truth != answer:
                key = (name, bool(answer), row.transition.texts[mode])
                counted[key] += 1
                words.setdefault(key, table.judged[i].judgement.raw)
    return [Mistake(*key, rows, words[key]) for key, rows in counted.most_common(most)]


def by_model(measured: Sequence[MeasuredCell]) -> dict[str, list[MeasuredCell]]:
    """Returns the cells of each model, by its name."""
    models: dict[str, list[MeasuredCell]] = {}
    for one in measured:
        models.setdefault(one.model.name, []).append(one)
    return models
