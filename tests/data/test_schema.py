"""Records and their rows: each comes back as it went in."""

import pytest

from calm.records import Judgement, LabelledTransition, Screen, Transition, Usage, Verdict
from data.schema import (
    JudgedTransition,
    Label,
    judgement_of,
    judgement_row,
    label_of,
    label_row,
    transition_of,
    transition_row,
)

SCREEN = Screen("ab\ncd", "77\n7f")
STEP = Transition("T", {"events": "It rains."}, "wait", "e1", 3, truncated=True)


def test_a_transition_comes_back() -> None:
    row = LabelledTransition(STEP, {"a": True}, {"player": "p", "note": "n"}, SCREEN, SCREEN)
    assert transition_of(transition_row(row)) == row
    plain = LabelledTransition(STEP, {})
    assert transition_of(transition_row(plain)) == plain


def test_a_row_whose_id_is_another_s_is_refused() -> None:
    row = transition_row(LabelledTransition(STEP, {})) | {"action": "sing"}
    with pytest.raises(ValueError, match=r"its id is .*, its content's is"):
        transition_of(row)


def test_a_judgement_comes_back() -> None:
    judgement = Judgement(Verdict.OK, {"a": True}, {"a": 0.75}, "raw", "", Usage(1, 2, 1, 3, 0.5))
    row = JudgedTransition("id", "m", "events", judgement, 1, "legend=off")
    assert judgement_of(judgement_row(row)) == row
    lost = JudgedTransition("id", "m", "events", Judgement(Verdict.ERROR, reason="no answer"))
    assert judgement_of(judgement_row(lost)) == lost


def test_a_label_comes_back_and_says_its_class() -> None:
    label = Label("id", "ann", ("b", "a"), ("a", "b", "c"), False, 1.5, "2026", "crop", "s", "p")
    assert label_of(label_row(label)) == label
    assert label.kind() == "a + b"
    assert Label("id", "ann", (), ("a",)).kind() == "none"
    assert Label("id", "ann", (), ("a",), unsure=True).kind() == "unsure"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"achieved": ["z"]}, "names what was not asked: z"),
        ({"seconds": -1.0}, "expected a time of 0 or more"),
        ({"seconds": float("nan")}, "expected a time of 0 or more"),
    ],
)
def test_a_label_that_cannot_be_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        label_of(label_row(Label("id", "ann", (), ("a",))) | change)
