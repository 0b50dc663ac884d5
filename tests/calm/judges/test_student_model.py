"""What a student has learned: certain where held-out answers agreed, never about new words."""

import numpy as np

from calm.judges.student_model import StudentModel, least_certainty


def test_least_certainty_by_hand() -> None:
    certainty = np.array([0.9, 0.7, 0.7, 0.6, 0.99])
    right = np.array([True, True, False, True, True])
    # In order: 1 of 1, 2 of 2, 3 of 4 (equal ones together), 4 of 5.
    assert least_certainty(certainty, right, 0.75) == 0.9  # (2 + 1) / (2 + 2)
    assert least_certainty(certainty, right, 0.7) == 0.6  # (4 + 1) / (5 + 2) = .714
    assert least_certainty(certainty, right, 0.66) == 0.6
    assert least_certainty(certainty, right, 0.8) == 2.0
    assert least_certainty(np.zeros(100), np.ones(100, bool), 0.75) == 2.0


def test_a_word_that_was_never_read_makes_unsure() -> None:
    places = ("hall", "wall", "stairs", "rat", "dark", "attic")
    deeds = ("took the key", "opened the door", "went on")
    some = [f"{d} by the {a} and {b}" for a in places for b in places for d in deeds]
    answers = np.array([["took the key" in t, "opened the door" in t] for t in some], np.int8)
    model = StudentModel(some, answers, 0.95)
    sure, yes = model.judge(["took the key by the hall and stairs", "took the sword"])
    assert sure.tolist() == [True, False]
    assert (yes[0] > 0.5).tolist() == [True, False]
    assert ((yes >= 0) & (yes <= 1)).all()
