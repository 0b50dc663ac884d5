"""What a run keeps of its judge's answers; `test_train` runs the callback in training."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from agents.training.callback import answers
from calm.annotation.live import PENDING
from calm.records import Subgoal


def test_answers_are_kept_by_text_as_the_names_that_were_achieved() -> None:
    annotator: Any = SimpleNamespace(
        subgoals=[Subgoal("take", "It is taken."), Subgoal("open", "It is open.")],
        texts=["both", "neither", "unreadable", "not yet"],
        table=np.array([[1, 1], [0, 0], [-1, 1], [PENDING, 0]], np.int8),
    )
    assert answers(annotator) == {"both": ["take", "open"], "neither": [], "unreadable": None}
