"""Credit assignment with language models: words in, judgement out.

What a library's user needs stands here; all else is found in the folders (`calm/README.md`).

    task = Task("Kitchen-v0", "Serve the soup.", (Subgoal("take the ladle", "It is in hand."),))
    judge = make_judge("openai:gpt-5-mini", store=Store("calm.sqlite"))
    step = Transition(task.id, {"events": "The ladle enters the hand."}, "take")
    [judgement] = judge.judge(task, task.subgoals, [step])

Names are loaded when they are first used, so that `import calm` costs next to nothing.
"""

from __future__ import annotations

from calm.lazy_names import load_name
from calm.version import VERSION

TYPE_CHECKING = False  # for type checkers alone; `typing` itself takes time to load
if TYPE_CHECKING:
    from typing import Any

    from calm.annotation.live import Annotator
    from calm.credit import Credit
    from calm.errors import (
        BudgetError,
        CalmError,
        EndpointError,
        GameError,
        PartialError,
        StoreError,
        UsageError,
    )
    from calm.gym import JudgedCredit
    from calm.judges import make_judge
    from calm.judges.protocol import Judge
    from calm.records import Judgement, Subgoal, Task, Transition, Verdict
    from calm.store.store import Store

__version__ = VERSION

_HOMES = {
    "Annotator": "calm.annotation.live",
    "BudgetError": "calm.errors",
    "CalmError": "calm.errors",
    "Credit": "calm.credit",
    "EndpointError": "calm.errors",
    "GameError": "calm.errors",
    "Judge": "calm.judges.protocol",
    "JudgedCredit": "calm.gym",
    "Judgement": "calm.records",
    "PartialError": "calm.errors",
    "Store": "calm.store.store",
    "StoreError": "calm.errors",
    "Subgoal": "calm.records",
    "Task": "calm.records",
    "Transition": "calm.records",
    "UsageError": "calm.errors",
    "Verdict": "calm.records",
    "make_judge": "calm.judges",
}

__all__ = [
    "Annotator",
    "BudgetError",
    "CalmError",
    "Credit",
    "EndpointError",
    "GameError",
    "Judge",
    "JudgedCredit",
    "Judgement",
    "PartialError",
    "Store",
    "StoreError",
    "Subgoal",
    "Task",
    "Transition",
    "UsageError",
    "Verdict",
    "make_judge",
]


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used; AttributeError where there is none."""
    return load_name(globals(), _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
