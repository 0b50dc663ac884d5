"""From a judge's spec to what an environment is shaped by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from calm.annotator import Annotator
from calm.errors import UsageError
from calm.judges import make_judge
from calm.records import Subgoal, Task
from calm.store import Store

Shaper = Annotator | Literal["truth"] | None
"""What pays credit: a judge behind its memory, the engine's truth, or nothing."""


def load_subgoals(path: Path) -> tuple[Subgoal, ...]:
    """Reads subgoals from a JSON list of {"name", "definition"}, as `calm decompose` writes it."""
    try:
        entries = json.loads(path.read_text("utf-8"))
        if isinstance(entries, dict):
            entries = entries["subgoals"]
        subgoals = tuple(Subgoal(str(e["name"]), str(e["definition"])) for e in entries)
    except FileNotFoundError:
        raise UsageError(f"no subgoals at {path}; `calm decompose` writes such a file") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f'{path} must hold a JSON list of {{"name": ..., "definition": ...}}: {error!r}'
        ) from None
    if not subgoals:
        raise UsageError(f"{path} names no subgoal")
    return subgoals


def make_shaper(
    spec: str,
    task: Task,
    subgoals: Sequence[Subgoal],
    store: Store | None = None,
    base_url: str | None = None,
    seed: int = 0,
) -> Shaper:
    """The shaper that a spec names: none, truth, or any judge of `calm.judges`."""
    if spec == "none":
        return None
    if spec == "truth":
        return "truth"
    if not subgoals:
        raise UsageError(
            f"{task.id} has no given subgoals; write some with `calm decompose` and name them with"
            " --subgoals FILE"
        )
    judge = make_judge(spec, mode="events", store=store, base_url=base_url, seed=seed)
    return Annotator(judge, task, subgoals, store)
