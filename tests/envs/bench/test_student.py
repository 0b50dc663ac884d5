"""The bench of students counts what was asked, and what agrees among the rest."""

from calm.judges import make_judge
from envs.bench.student import played_texts, run


def test_texts_come_in_the_order_of_play_each_once() -> None:
    few, more = played_texts("Eat", 64), played_texts("Eat", 640)
    assert len(few) < len(more) == len(set(more))
    assert more[: len(few)] == few


def test_shares_and_ratios_are_of_the_same_texts() -> None:
    lines: list[str] = []
    report = run(["Eat"], make_judge("rules"), 1600, 90, lines.append, agreements=(0.9,))
    asked, agrees = report["rows"]
    assert asked["texts"] == 90
    questions = round(asked["value"] * 90)
    assert 50 <= questions <= 90
    assert report["ratios"] == {"student@0.9": 90 / questions}
    assert 0 <= agrees["value"] <= 1
    assert any("rules has judged 50 of 90 texts" in line for line in lines)


def test_a_task_of_few_texts_has_all_asked() -> None:
    (asked, agrees) = run(
        ["Room-5x5"], make_judge("rules"), 64, 20, lambda line: None, agreements=(0.98,)
    )["rows"]
    assert (asked["value"], agrees["value"]) == (1.0, 1.0)
