"""What is tuned on and what is reported have no text in common."""

import hashlib
from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.judges.thresholds import EVERY
from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Verdict
from data.evaluation.halves import half_of, take_half
from data.evaluation.learn_thresholds import best_cut, fold_judgements, learn_thresholds
from data.evaluation.plan import EvaluationPlan
from data.evaluation.prompt_variants import OPTIONS, variants
from data.evaluation.run import run_evaluation
from data.parquet import Transitions, read_transitions, write_transitions

TASK = Task("T-v0", "Take it.", (Subgoal("take", "It is taken.", ("it was taken",), 3),))


def row(text: str, took: bool, step: int = 0) -> LabelledTransition:
    return LabelledTransition(
        Transition(TASK.id, {"events": text, "screen": text + "!"}, "a", "e", step), {"take": took}
    )


def test_halves_share_no_text_and_leave_none_out() -> None:
    part = Transitions([row(f"text {i % 20}", False, i) for i in range(60)], {TASK.id: TASK})
    halves = [take_half(part, half).rows for half in ("tune", "report")]
    texts = [{r.transition.texts["events"] for r in rows} for rows in halves]
    assert not texts[0] & texts[1]
    assert len(texts[0] | texts[1]) == 20
    assert sum(map(len, halves)) == 60
    even = int(hashlib.sha256(b"text 0").hexdigest(), 16) % 2 == 0
    assert half_of(part.rows[0].transition) == ("tune" if even else "report")
    with pytest.raises(UsageError, match="tune"):
        take_half(part, "train")


def test_the_cut_is_the_middle_of_the_widest_of_the_best_gaps() -> None:
    # Cuts at .3 and at .65 are both without an error but for one; .5 to .8 is the wider gap.
    assert best_cut([(0.2, False), (0.5, False), (0.8, True), (0.9, True)]) == 0.65
    assert best_cut([(0.9, True), (0.9, False), (0.1, False), (0.1, False)]) == 0.5


def judged(p: float) -> Judgement:
    return Judgement(Verdict.OK, {"take": p > 0.5}, {"take": p})


def test_a_subgoal_has_a_threshold_of_its_own_only_with_enough_distinct_texts() -> None:
    few = [(row("a", True), judged(0.9))] * 5 + [
        (row(f"n{i}", False), judged(0.6)) for i in range(4)
    ]
    assert learn_thresholds([r for r, _ in few], [j for _, j in few], "events") == {EVERY: 0.75}
    more = [*few, (row("y", True), judged(0.8))]
    learned = learn_thresholds([r for r, _ in more], [j for _, j in more], "events")
    assert learned == {EVERY: 0.7, "take": 0.7}
    with pytest.raises(UsageError, match="how sure"):
        learn_thresholds([row("a", True)], [Judgement(Verdict.OK, {"take": True})], "events")


def test_a_threshold_from_few_examples_is_drawn_to_that_of_all_inside_its_gap() -> None:
    def both(text: str, take: tuple[bool, float], drop: tuple[bool, float]) -> None:
        transition = row(text, False).transition
        rows.append(LabelledTransition(transition, {"take": take[0], "drop": drop[0]}))
        confidence = {"take": take[1], "drop": drop[1]}
        judgements.append(
            Judgement(Verdict.OK, {n: p > 0.5 for n, p in confidence.items()}, confidence)
        )

    rows: list[LabelledTransition] = []
    judgements: list[Judgement] = []
    for i in range(2):
        both(f"a{i}", (True, 0.9), (False, 0.1))
        both(f"b{i}", (False, 0.5), (True, 0.3))
        both(f"c{i}", (False, 0.5), (True, 0.9))
    learned = learn_thresholds(rows, judgements, "events")
    assert learned[EVERY] == 0.7  # two of twelve are wrong there, at .2 four
    # take: no cut between .5 and .9 is wrong on its own examples, and .7 is best on all.
    # drop: its own agree at .2, .4 and .7 by 1, .5 and .5, all by .45, 0 and .71. Two of each truth
    # are worth two of the prior: .72 at .2, .25 at .4, .60 at .7.
    assert learned["take"] == 0.7
    assert learned["drop"] == 0.2
    one = best_cut([(0.1, False), (0.3, True), (0.9, True)], [(0.5, False), (0.9, True)], 0.7)
    assert one == 0.7  # own: 1 at .2 and .5 at .7; others: 0 and 1


def test_each_half_is_judged_by_what_the_other_taught() -> None:
    texts = [f"text {i}" for i in range(40)]
    rows, judgements = [], []
    for half, low, high in (("tune", 0.1, 0.3), ("report", 0.7, 0.9)):
        mine = [t for t in texts if half_of(row(t, False).transition) == half]
        for i, text in enumerate(mine):
            rows.append(row(text, i % 2 == 0))
            judgements.append(judged(high if i % 2 == 0 else low))
    folded = fold_judgements(rows, judgements, "events")
    # Learned on tune: .2, so all of report is a yes; on report: .8, so none of tune is.
    for row_, judgement in zip(rows, folded, strict=True):
        assert judgement.achieved["take"] == (half_of(row_.transition) == "report")
    plan = EvaluationPlan("keyroom-v1", ("replay",), fold=True, half="tune")
    with pytest.raises(UsageError, match="leave --half tune out"):
        run_evaluation(plan)
    with pytest.raises(UsageError, match="model's answers"):
        run_evaluation(EvaluationPlan("keyroom-v1", ("rules",), fold=True))
    with pytest.raises(UsageError, match="discovered"):
        run_evaluation(EvaluationPlan("keyroom-v1", ("replay",), fold=True, discovered=("a.yaml",)))


def test_forms_are_crossed_when_named_and_not_by_all() -> None:
    assert [v.get("form", "booleans") for v in variants({}, ["form"])] == list(OPTIONS["form"])
    assert len(variants({}, ["all"])) == 64


def test_what_is_chosen_among_is_never_the_half_that_is_reported(tmp_path: Path) -> None:
    plan = EvaluationPlan("keyroom-v1", ("rules",), half="report", sweep=("form",))
    with pytest.raises(UsageError, match="half to tune on"):
        run_evaluation(plan)
    (table,) = run_evaluation(
        EvaluationPlan("keyroom-v1", ("rules",), parts=("balanced",), sweep=("form",))
    )
    assert table.name == "keyroom-v1 balanced tune half"
    assert len(table.scores) == 1  # rules are asked in no form
    with pytest.raises(UsageError, match="takes one judge"):
        run_evaluation(
            EvaluationPlan("keyroom-v1", ("rules", "always-no"), learn=tmp_path / "t.json")
        )


def test_statements_of_subgoals_are_kept_with_a_set(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_transitions(path, [row("a", True)], {TASK.id: TASK})
    (subgoal,) = read_transitions(path).tasks[TASK.id].subgoals
    assert (subgoal.statements, subgoal.times) == (("it was taken",), 3)
