"""What a run keeps of its judge's answers; `test_train` runs the callback in training."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from agents.training.callback import answers, examples_of
from calm.annotation.live import PENDING
from calm.records import Judgement, Subgoal, Verdict


def test_answers_are_kept_by_text_as_the_names_that_were_achieved() -> None:
    annotator: Any = SimpleNamespace(
        subgoals=[Subgoal("take", "It is taken."), Subgoal("open", "It is open.")],
        texts=["both", "neither", "unreadable", "not yet"],
        table=np.array([[1, 1], [0, 0], [-1, 1], [PENDING, 0]], np.int8),
    )
    assert answers(annotator) == {"both": ["take", "open"], "neither": [], "unreadable": None}


def test_a_models_words_are_kept_of_each_kind_of_answer_once() -> None:
    yes, no = ({"take": take} for take in (True, False))
    judgements = {
        "north": Judgement(Verdict.OK, no, raw="No"),
        "key": Judgement(Verdict.OK, yes, raw="Yes"),
        "key again": Judgement(Verdict.OK, yes, raw="Yes"),
        "fog": Judgement(Verdict.INVALID, raw="Perhaps"),
        "rules": Judgement(Verdict.OK, yes),
    }
    assert list(examples_of(judgements)) == ["fog", "north", "key"]
    assert examples_of({"rules": judgements["rules"]}) == {}
