"""From a judge's spec to what an environment is shaped by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from calm.annotator import Annotator
from calm.judges import make_judge
from calm.records import Subgoal, Task
from calm.store import Store

Shaper = Annotator | Literal["truth"] | None
"""What pays credit: a judge behind its memory, the engine's truth, or nothing."""


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
    judge = make_judge(spec, mode="events", store=store, base_url=base_url, seed=seed)
    return Annotator(judge, task, subgoals)
