"""Every number of the table on sets small enough to count by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Usage, Verdict
from data.evaluation.answers import Contestant
from data.evaluation.evaluate import TableOptions, evaluate
from data.evaluation.paper import paper_table
from data.evaluation.subgoal_match import match
from data.evaluation.unreadable import unreadable
from tests.support.scripted_judge import Scripted

KEY, DOOR, EAT = Subgoal("key", "."), Subgoal("door", "."), Subgoal("eat", ".")
ROOM = Task("room", "win", (KEY, DOOR))
KITCHEN = Task("kitchen", "eat", (EAT,))


def row(i: int, kind: str, task: Task = ROOM, episode: str = "") -> LabelledTransition:
    truth = {s.name: s.name == kind for s in task.subgoals}
    text = f"{kind} {i}"
    return LabelledTransition(
        Transition(task.id, {"events": text}, "wait", episode or str(i), i), truth
    )


ROWS = [row(i, ["key", "door", "none"][i % 3]) for i in range(21)]


def kind_of(t: Transition) -> str:
    return t.texts["events"].split()[0]


def truly(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
    return Judgement(Verdict.OK, {s.name: s.name == kind_of(t) for s in subgoals})


def constant(yes: bool) -> Scripted:
    return Scripted(f"always-{yes}", lambda g, t: Judgement(Verdict.OK, {s.name: yes for s in g}))


TRUTH = Scripted("truth", truly)


def swapped(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
    other = {"key": "door", "door": "key"}.get(kind_of(t))
    return Judgement(Verdict.OK, {s.name: s.name == other for s in subgoals})


def value(score: object, name: str) -> float:
    return round(score.metrics[name].value, 4)  # type: ignore[attr-defined]


def test_truth_and_the_trivial_annotators() -> None:
    table = evaluate([TRUTH, constant(True), constant(False)], ROWS, ROOM)
    truth, yes, no = table.scores
    for name in ("paper_f1", "paper_accuracy", "mcc", "balanced_accuracy", "exact"):
        assert value(truth, name) == 1
    assert [value(yes, f"paper_{k}") for k in ("f1", "accuracy", "precision", "recall")] == [
        0.8,
        0.6667,
        0.6667,
        1.0,
    ]
    assert value(no, "paper_precision") == value(no, "paper_f1") == 0
    assert value(no, "paper_accuracy") == 0.3333
    assert value(yes, "mcc") == value(no, "mcc") == 0
    assert value(yes, "exact") == 0
    assert value(no, "exact") == 0.3333
    assert table.kinds == {"key": 7, "door": 7, "none": 7}
    assert table.episodes == 21


def test_credit_for_the_wrong_subgoal_is_seen() -> None:
    """The paper's binary numbers are perfect; which subgoal it was is always wrong."""
    score = evaluate([Scripted("swap", swapped)], ROWS, ROOM).scores[0]
    assert value(score, "paper_f1") == value(score, "mcc") == 1
    assert score.subgoals["key"]["f1"].value == 0
    assert value(score, "exact") == 0.3333
    assert score.counts["key"].tolist() == [[7, 7, 0], [7, 0, 0]]


def test_unreadable_answers_are_counted_by_class_and_never_no() -> None:
    def half(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        if kind_of(t) == "none":
            return Judgement(Verdict.TRUNCATED, raw="…")
        return truly(subgoals, t)

    table = evaluate([Scripted("half", half)], ROWS, ROOM)
    score = table.scores[0]
    assert score.unreadable_by_kind == {"door": 0.0, "key": 0.0, "none": 1.0}
    assert score.verdicts == {"ok": 14, "truncated": 7}
    assert value(score, "paper_accuracy") == 1  # as the paper would have it
    assert value(score, "balanced_accuracy") == 0.5
    assert value(score, "exact") == 0.6667
    assert value(score, "unreadable") == 0.3333
    assert "7 of 21 answers could not be read" in str(unreadable(table.judged))


def test_precision_at_the_natural_rate() -> None:
    def eager(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        # Finds all, and says "key" to two of the seven that are nothing.
        key = kind_of(t) == "key" or t.texts["events"] in ("none 2", "none 5")
        return Judgement(Verdict.OK, {"key": key, "door": kind_of(t) == "door"})

    eager_judge = Scripted("eager", eager)
    score = evaluate([eager_judge], ROWS, ROOM, TableOptions(natural_rate=0.08)).scores[0]
    assert value(score, "precision") == round(14 / 16, 4)
    assert score.metrics["precision_natural"].value == pytest.approx(0.08 / (0.08 + 2 / 7 * 0.92))
    own = evaluate([eager_judge], ROWS, ROOM).scores[0]
    assert value(own, "precision_natural") == value(own, "precision")


def test_precision_at_the_natural_rate_is_never_known_exactly() -> None:
    def never(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        # Says "key" to what is nothing, and to nothing else.
        return Judgement(Verdict.OK, {"key": kind_of(t) == "none", "door": False})

    judges = [TRUTH, Scripted("never", never), constant(True)]
    scores = evaluate(judges, ROWS, ROOM, TableOptions(natural_rate=0.08)).scores
    right, wrong, always = (s.metrics["precision_natural"] for s in scores)
    # 7 episodes of nothing, 14 that achieve something; Wilson's upper end for 0 of n is
    # z^2 / (n + z^2).
    false, hit = 3.841459 / (7 + 3.841459) * 0.92, 3.841459 / (14 + 3.841459) * 0.08
    assert right == pytest.approx((1, 0.08 / (0.08 + false), 1), abs=1e-6)
    assert wrong == pytest.approx((0, 0, hit / (hit + 0.92)), abs=1e-6)
    assert always == pytest.approx((0.08, np.nan, np.nan), nan_ok=True)


def test_tasks_with_other_subgoals_side_by_side() -> None:
    rows = [*ROWS[:6], row(1, "eat", KITCHEN), row(2, "none", KITCHEN)]
    table = evaluate([constant(True)], rows, {t.id: t for t in (ROOM, KITCHEN)})
    score = table.scores[0]
    assert table.reference.names == ("key", "door", "eat")
    assert score.counts["eat"].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert score.counts["key"].sum() == 6
    assert score.counts["any"].tolist() == [[0, 3, 0], [0, 5, 0]]
    assert score.answers[0].tolist() == [1, 1, -2]


def test_comparisons_call_a_tie_a_tie() -> None:
    def nearly(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        if t.texts["events"] == "key 0":
            return Judgement(Verdict.OK, {s.name: False for s in subgoals})
        return truly(subgoals, t)

    table = evaluate([Scripted("nearly", nearly), TRUTH, constant(False)], ROWS, ROOM)
    by_pair = {(c.first, c.second): c for c in table.comparisons}
    close, far = by_pair[1, 0], by_pair[1, 2]
    assert close.tie
    assert (close.only_first, close.only_second) == (1, 0)
    assert not far.tie
    assert np.isnan(far.difference.low)  # 1 and 0 in every resample
    assert (far.only_first, far.only_second) == (14, 0)
    assert far.p == pytest.approx(3 * 2 / 2**14)  # Holm: the smallest of three
    same = evaluate([TRUTH, Scripted("again", truly)], ROWS, ROOM).comparisons[0]
    assert same.tie
    assert same.p == 1
    assert np.isnan(same.difference.low)


def test_repeats_give_a_flip_rate() -> None:
    score = evaluate([Contestant(TRUTH, repeats=[constant(False)])], ROWS, ROOM).scores[0]
    assert score.flip_rate == pytest.approx(14 / 42)  # 14 of 42 answers change
    assert value(score, "mcc") == 1  # the first answers are what is scored
    assert np.isnan(evaluate([TRUTH], ROWS, ROOM).scores[0].flip_rate)


def test_calibration_and_the_bill() -> None:
    def sure(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        achieved = {s.name: s.name == kind_of(t) for s in subgoals}
        confidence = {k: 0.9 if v else 0.1 for k, v in achieved.items()}
        return Judgement(Verdict.OK, achieved, confidence, usage=Usage(1, 100, 60, 10, 0.5, 0.002))

    score = evaluate([Scripted("sure", sure)], ROWS, ROOM).scores[0]
    assert score.calibration is not None
    assert score.calibration.brier == pytest.approx(0.01)
    assert score.calibration.error == pytest.approx(0.1)
    assert score.calibration.n == 42
    bill = score.to_dict()["usage"]
    assert bill["tokens_per_transition"] == 110
    assert bill["seconds_per_transition"] == 0.5
    assert bill["cost_per_transition"] == pytest.approx(0.002)


def test_equal_texts_are_paid_once() -> None:
    def paid(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        return Judgement(Verdict.OK, dict.fromkeys(("key", "door"), False), usage=Usage(1, 7))

    same = [row(0, "none", episode=str(k)) for k in range(5)]
    score = evaluate([Scripted("paid", paid)], [*same, row(1, "key")], ROOM).scores[0]
    assert score.usage == Usage(2, 14)
    assert score.tokens == 14 / 6


def test_discovered_subgoals_are_matched_and_shown() -> None:
    discovered = (
        Subgoal("Get the key", "."),
        Subgoal("Unlock the door", "."),
        Subgoal("Survive", "."),
    )
    given_subgoals = (Subgoal("pick up the key", "."), Subgoal("open the door", "."))
    task = Task("room", "win", given_subgoals)
    matched = match(discovered, given_subgoals)
    assert matched.of == {
        "Get the key": "pick up the key",
        "Unlock the door": "open the door",
        "Survive": None,
    }
    rows = [
        LabelledTransition(
            r.transition, {"pick up the key": r.truth["key"], "open the door": r.truth["door"]}
        )
        for r in ROWS
    ]

    def discovering(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        assert [s.name for s in subgoals] == [s.name for s in discovered]
        key = kind_of(t) == "key"
        return Judgement(
            Verdict.OK,
            {"Get the key": key, "Unlock the door": False, "Survive": kind_of(t) == "door"},
        )

    table = evaluate(
        [Scripted("m", discovering)], rows, task, TableOptions(matches={"room": matched})
    )
    score = table.scores[0]
    assert score.counts["pick up the key"].tolist() == [[14, 0, 0], [0, 7, 0]]
    assert score.subgoals["open the door"]["recall"].value == 0
    # "Survive" says yes on the door's rows: it has no truth, so that is no hit of "any subgoal".
    assert value(score, "paper_recall") == 0.5
    assert list(score.counts) == ["any", "pick up the key", "open the door"]


def test_what_a_model_never_named_is_no_miss_and_what_has_no_truth_no_false_alarm() -> None:
    """It named the key and recognises it without fault, and says yes to its other one everywhere.

    Of 21 rows 7 take the key, 7 open the door, which it was never asked about.
    """
    named = (Subgoal("key", "."), Subgoal("breathe", "."))
    matched = match(named, ROOM.subgoals)
    assert matched.of == {"key": "key", "breathe": None}

    def knows_the_key(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        return Judgement(Verdict.OK, {"key": kind_of(t) == "key", "breathe": True})

    table = evaluate(
        [Scripted("m", knows_the_key)], ROWS, ROOM, TableOptions(matches={"room": matched})
    )
    score = table.scores[0]
    assert score.counts["any"].tolist() == score.counts["key"].tolist() == [[14, 0, 0], [0, 7, 0]]
    assert value(score, "recall") == value(score, "precision") == value(score, "exact") == 1
    assert list(score.subgoals) == ["key"]
    assert table.kinds == {"none": 14, "key": 7}
    assert table.reference.natural_rate == 7 / 21
    assert table.to_dict()["matches"]["room"]["unmatched_given"] == ["door"]
    assert table.judged[0].judgement.achieved["breathe"]  # the answers are kept as they were


def test_a_task_of_which_nothing_was_named_is_left_out_and_told() -> None:
    tasks = {"room": ROOM, "hall": replace(ROOM, id="hall")}
    rows = [*ROWS, *(replace(r, transition=replace(r.transition, task="hall")) for r in ROWS)]
    matches = {
        "room": match((KEY,), ROOM.subgoals),
        "hall": match((Subgoal("breathe", "."),), ROOM.subgoals),
    }

    def knows_the_key(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        assert t.task == "room"  # the other is not asked about
        return Judgement(Verdict.OK, {"key": kind_of(t) == "key"})

    judge = Scripted("m", knows_the_key)
    table = evaluate([judge], rows, tasks, TableOptions(matches=matches))
    assert len(table.rows) == 21
    assert list(table.left_out.values()) == [21]
    with pytest.raises(UsageError, match="none of the discovered subgoals means a given one"):
        evaluate([judge], rows[21:], tasks, TableOptions(matches=matches))


def test_errors() -> None:
    with pytest.raises(UsageError, match="no transitions"):
        evaluate([TRUTH], [], ROOM)
    with pytest.raises(UsageError, match="no 'crop' description for truth; has events"):
        evaluate([Scripted("truth", truly, "crop")], ROWS, ROOM)
    with pytest.raises(UsageError, match="no subgoals are given for task 'room'"):
        evaluate([TRUTH], ROWS, Task("room", "win"))
    with pytest.raises(UsageError, match="no truth for eat"):
        evaluate([TRUTH], ROWS, Task("room", "win", (KEY, EAT)))


def test_json_has_no_nan() -> None:
    table = evaluate([constant(False), constant(True)], ROWS, ROOM, TableOptions(name="small"))
    text = json.dumps(table.to_dict(), allow_nan=False)
    assert json.loads(text)["scores"][0]["metrics"]["precision"]["value"] is None


def test_same_seed_same_numbers() -> None:
    a, b = (
        evaluate([constant(True)], ROWS, ROOM, TableOptions(seed=3)).to_dict() for _ in range(2)
    )
    assert a == b


def test_the_papers_table() -> None:
    rows = paper_table()
    assert len(rows) == 9 * 4
    assert sum(r.f1 > 0.80 for r in rows if r.annotator not in ("human", "random")) == 3
    best = max((r for r in rows if r.annotator != "human"), key=lambda r: r.f1)
    assert (best.annotator, best.mode, best.subgoals) == (
        "Meta-Llama-3-70B-Instruct",
        "crop",
        "discovered",
    )
    assert len(paper_table("screen", "given")) == 9
