"""One line of a table from answers and truth, worked by hand."""

import numpy as np
import pytest

from calm.records import Judgement, Usage, Verdict
from data.scoring.metrics import number
from data.scoring.reference import Reference, engine_reference
from data.scoring.score import answer_array, score, score_answers
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows, says

ROWS = key_and_door_rows(6)  # key, door, none, key, door, none
TRUE = [says(*(n for n, yes in row.truth.items() if yes)) for row in ROWS]
LOST = Judgement(Verdict.TRUNCATED)


@pytest.fixture
def reference() -> Reference:
    return engine_reference(ROWS, {TASK.id: TASK})


def test_answers_become_numbers(reference: Reference) -> None:
    answers = answer_array(reference, [says(KEY.name), LOST, *TRUE[2:]])
    assert answers[:3].tolist() == [[1, 0], [-1, -1], [0, 0]]


def test_a_judge_that_misses_the_keys_and_cannot_be_read_once(reference: Reference) -> None:
    answers = [says(), TRUE[1], TRUE[2], says(), LOST, TRUE[5]]
    line = score("m", "events", reference, [answers], Usage(6, 60, 0, 30, 12.0, 3.0), resamples=20)
    # Any subgoal: truth yes of 4 (2 no, 1 yes, 1 unreadable), truth no of 2, both right.
    assert line.counts["any"].tolist() == [[2, 0, 0], [2, 1, 1]]
    value = {name: e.value for name, e in line.metrics.items()}
    assert value["recall"] == 0.25
    assert value["precision"] == 1.0
    assert value["accuracy"] == 0.5
    assert value["unreadable"] == pytest.approx(1 / 6)
    assert value["paper_recall"] == 0.25
    assert value["exact"] == 0.5
    assert line.subgoals[KEY.name]["recall"].value == 0
    assert line.subgoals[DOOR.name]["recall"].value == 0.5
    assert line.unreadable_by_kind == {DOOR.name: 0.5, "none": 0.0, KEY.name: 0.0}
    assert line.verdicts == {"ok": 5, "truncated": 1}
    assert line.right.tolist() == [False, True, True, False, False, True]
    assert (line.tokens, line.seconds, line.cost) == (15, 2, 0.5)
    assert np.isnan(line.flip_rate)


def test_repeats_and_confidence(reference: Reference) -> None:
    sure = [
        Judgement(Verdict.OK, j.achieved, {n: 0.8 if y else 0.1 for n, y in j.achieved.items()})
        for j in TRUE
    ]
    other = [*TRUE[:5], says(KEY.name)]
    line = score("m", "events", reference, [sure, other], Usage(), resamples=20)
    assert (line.repeats, line.flip_rate) == (2, pytest.approx(1 / 12))
    assert line.calibration is not None
    # Twelve answers: four yes at .8, eight no at .1.
    assert line.calibration.n == 12
    assert line.calibration.brier == pytest.approx((4 * 0.04 + 8 * 0.01) / 12)
    assert line.calibration.error == pytest.approx((4 * 0.2 + 8 * 0.1) / 12)
    value = line.to_dict()
    assert value["calibration"]["n"] == 12
    assert value["usage"]["cost_per_transition"] == 0.0
    assert value["metrics"]["mcc"] == {"value": 1.0, "low": None, "high": None}


def test_what_was_given_for_nothing_has_no_bill(reference: Reference) -> None:
    line = score_answers("ann", "", reference, reference.truth, resamples=20)
    assert (line.n, line.metrics["exact"].value, line.usage, line.calibration) == (
        6, 1.0, Usage(), None,
    )  # fmt: skip


def test_numbers_for_json() -> None:
    assert number(float("nan")) is None
    assert number(1 / 3) == 0.33333
