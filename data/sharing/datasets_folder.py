"""Writes a labelled set as a folder that Hugging Face `datasets` loads.

README.md                 the card: its YAML header says where the tables lie
transitions/PART.parquet  a row a transition; the configuration `transitions`, a split a part
tasks/tasks.parquet       a row a task: goal, subgoals, actions; the configuration `tasks`

`datasets` knows no maps, so the truth by subgoal becomes two lists, `achieved` and `not_achieved`;
a subgoal whose truth nobody knows is in neither. Nothing of a set is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from calm.errors import UsageError
from calm.files import write_folder
from calm.records import MODES, LabelledTransition, Task
from data.dataset import CARD, MANIFEST, NATURAL, SHIPPED, Dataset, load, read_manifest
from data.parquet import Transitions
from data.schema import transition_row
from data.sharing.card import TAGS, UNKNOWN, card, markdown_table, size_category, without_header

_STRINGS = pa.list_(pa.string())
_PAIRS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
TASKS_FILE = "tasks/tasks.parquet"
REWARD = "reward"
"""The key of a row's provenance that holds the environment's own reward."""

TRANSITIONS = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        *((mode, pa.string()) for mode in MODES),
        ("action", pa.string()),
        ("achieved", _STRINGS),
        ("not_achieved", _STRINGS),
        ("reward", pa.float64()),
        ("terminated", pa.bool_()),
        ("truncated", pa.bool_()),
        ("episode", pa.string()),
        ("step", pa.int32()),
        ("level_seed", pa.int64()),
        ("player", pa.string()),
        ("versions", pa.string()),
        ("provenance", _PAIRS),
        ("before_chars", pa.string()),
        ("before_colours", pa.string()),
        ("after_chars", pa.string()),
        ("after_colours", pa.string()),
    ]
)

TASKS = pa.schema(
    [
        ("id", pa.string()),
        ("goal", pa.string()),
        (
            "subgoals",
            pa.list_(
                pa.struct(
                    [
                        ("name", pa.string()),
                        ("definition", pa.string()),
                        ("statements", _STRINGS),
                        ("times", pa.int32()),
                    ]
                )
            ),
        ),
        ("actions", _STRINGS),
        ("legend", pa.string()),
    ]
)

COLUMNS = {
    "id": "SHA-256 of the content: task, texts, action, ends",
    "task": "id of the task; the configuration `tasks` describes it",
    "screen, crop, events": "the step in words, three times: both whole maps, both 9x9 crops,"
    " only what changed",
    "action": "English name of the action",
    "achieved, not_achieved": "subgoals that the engine's state says this step achieved, and did"
    " not; one whose truth is not known is in neither",
    "reward": "the environment's own; empty where it was not recorded",
    "terminated, truncated": "whether the episode ended with this step, or was cut off",
    "episode, step": "0 is the first step after a reset",
    "level_seed, player, versions, provenance": "where the step comes from",
    "before_*, after_*": "the terminal before and after, 24 lines of 80; a colour is one hex digit",
}


def write_datasets_folder(spec: str | Path, folder: Path, licence: str = "") -> dict[str, Any]:
    """Writes a set into a new folder, with a card.

    Args:
        spec: name of a set, its folder, or a parquet file of transitions.
        licence: the hub's id of the licence, such as `cc-by-4.0`; "" for the set's own.

    Returns:
        `folder`, `parts`: rows by part, `tasks`: how many, `licence`.

    Raises:
        UsageError: no such set, nothing in it, or the folder is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder")
    dataset = load(spec)
    about: dict[str, Any] = {}
    write_folder(folder, lambda partial: about.update(fill_folder(spec, dataset, partial, licence)))
    return {"folder": str(folder)} | about


def fill_folder(
    spec: str | Path, dataset: Dataset, folder: Path, licence: str = ""
) -> dict[str, Any]:
    """Writes the tables and the card of a loaded set into an empty folder.

    Returns:
        `parts`, `tasks` and `licence`, as `write_datasets_folder`.

    Raises:
        UsageError: a part has nothing in it.
    """
    tasks: dict[str, Task] = {}
    splits: dict[str, str] = {}
    (folder / "transitions").mkdir()
    (folder / "tasks").mkdir()
    for name in dataset.parts:
        part = dataset.part(name)
        tasks |= part.tasks
        split = re.sub(r"\W", "_", name, flags=re.ASCII) or "train"
        splits[split] = f"transitions/{split}.parquet"
        rows = [exported_row(row) for row in part.rows]
        _write(folder / splits[split], rows, TRANSITIONS)
    _write(folder / TASKS_FILE, [_task_row(task) for task in tasks.values()], TASKS)
    home = _home(spec)
    licence = licence or _licence(home)
    header = card_header(dataset, splits, licence)
    (folder / CARD).write_text(card(header, _paragraphs(dataset, home)), "utf-8")
    counts = {name: len(part.rows) for name, part in dataset.parts.items()}
    return {"parts": counts, "tasks": len(tasks), "licence": licence}


def exported_row(row: LabelledTransition) -> dict[str, Any]:
    """Returns a row of `TRANSITIONS`."""
    values = transition_row(row)
    provenance = dict(values.pop("provenance"))
    truth = dict(values.pop("truth"))
    reward = provenance.pop(REWARD, None)
    return values | {
        "achieved": [name for name, yes in truth.items() if yes],
        "not_achieved": [name for name, yes in truth.items() if not yes],
        "reward": reward_of(row) if reward is not None else None,
        "provenance": [{"name": name, "value": value} for name, value in provenance.items()],
    }


def reward_of(row: LabelledTransition) -> float | None:
    """Returns the environment's own reward of a step; None where it was not recorded.

    Raises:
        UsageError: what stands there is no number.
    """
    text = row.provenance.get(REWARD)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UsageError(
            f"step {row.transition.step} of episode {row.transition.episode!r}: its reward is"
            f" {text!r}, expected a number"
        ) from None


def _task_row(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "goal": task.goal,
        "subgoals": [
            {
                "name": s.name,
                "definition": s.definition,
                "statements": list(s.statements),
                "times": s.times,
            }
            for s in task.subgoals
        ],
        "actions": list(task.actions),
        "legend": task.legend,
    }


def _write(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")


def _home(spec: str | Path) -> Path | None:
    """Returns the folder of a set; None for a single file."""
    for folder in (Path(spec), SHIPPED / str(spec)):
        if (folder / MANIFEST).is_file():
            return folder
    return None


def _licence(home: Path | None) -> str:
    """Returns the licence that a set's manifest tells, by the hub's id of it."""
    return str(read_manifest(home).get("licence", UNKNOWN)).lower() if home else UNKNOWN


def card_header(dataset: Dataset, splits: Mapping[str, str], licence: str) -> dict[str, Any]:
    """Returns the header of a set's card.

    Args:
        splits: by name, the file of each below the card's folder.
        licence: the hub's id of it.
    """
    rows = sum(len(part.rows) for part in dataset.parts.values())
    return {
        "license": licence,
        "pretty_name": dataset.name,
        "language": ["en"],
        "tags": list(TAGS),
        "size_categories": [size_category(rows)],
        "configs": [
            {
                "config_name": "transitions",
                "default": True,
                "data_files": [{"split": name, "path": path} for name, path in splits.items()],
            },
            {
                "config_name": "tasks",
                "data_files": [{"split": "train", "path": TASKS_FILE}],
            },
        ],
    }


def _paragraphs(dataset: Dataset, home: Path | None) -> list[str]:
    """Returns the card's text: the set's own, then what the tables hold."""
    own = home / CARD if home is not None else None
    text = without_header(own.read_text("utf-8")) if own is not None and own.is_file() else ""
    made_by = read_manifest(home).get("made_by", "") if home is not None else ""
    return [
        text or f"# {dataset.name}\n\nTransitions of MiniHack in words, with the engine's truth.",
        "## These tables",
        "Written by `calm data export`; nothing of the set is left out."
        + (f" The set was made by `{made_by}`." if made_by else ""),
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("FOLDER")'
        '\ntasks = load_dataset("FOLDER", "tasks")\n```',
        markdown_table(("column", "meaning"), ((f"`{c}`", m) for c, m in COLUMNS.items())),
        "## How much",
        counts_table(dataset),
        "## How often each subgoal is achieved",
        _rates_note(dataset),
        rates_table(dataset),
    ]


def counts_table(dataset: Dataset) -> str:
    """Returns rows, episodes, tasks, players and versions of each part as a table."""
    rows = []
    for name, part in dataset.parts.items():
        whole = [row.provenance for row in part.rows]
        players = Counter(str(p.get("player", "not told")) for p in whole)
        versions = sorted({str(p.get("versions", "not told")) for p in whole})
        rows.append(
            (
                f"`{name}`" if name else "all",
                f"{len(part.rows):,}",
                f"{len({row.cluster for row in part.rows}):,}",
                len({row.transition.task for row in part.rows}),
                ", ".join(f"{player} {count:,}" for player, count in sorted(players.items())),
                "; ".join(versions),
            )
        )
    head = ("part", "transitions", "episodes", "tasks", "transitions by player", "game")
    return markdown_table(head, rows)


def _rates_note(dataset: Dataset) -> str:
    if NATURAL in dataset.parts:
        return (
            f"In `{NATURAL}` the shares are those of play; in the other parts steps were picked,"
            " and their shares say nothing of play."
        )
    return (
        "Shares of the transitions that are here. Whether they are those of play depends on how the"
        " transitions were chosen, which the file does not tell."
    )


def rates_table(dataset: Dataset) -> str:
    """Returns by part, task and subgoal how many of the transitions with known truth achieve it."""
    rows = []
    for name, part in dataset.parts.items():
        for (task, subgoal), (yes, known) in sorted(_rates(part).items()):
            share = f"{100 * yes / known:.2f} %"
            rows.append((f"`{name}`" if name else "all", task, subgoal, yes, known, share))
    if not rows:
        return "The truth of no subgoal is known."
    return markdown_table(("part", "task", "subgoal", "achieved", "of", "share"), rows)


def _rates(part: Transitions) -> dict[tuple[str, str], tuple[int, int]]:
    """Returns by task and subgoal how many rows achieve it, and of how many that is known."""
    achieved: Counter[tuple[str, str]] = Counter()
    known: Counter[tuple[str, str]] = Counter()
    for row in part.rows:
        for name, yes in row.truth.items():
            known[row.transition.task, name] += 1
            achieved[row.transition.task, name] += yes
    return {key: (achieved[key], count) for key, count in known.items()}
