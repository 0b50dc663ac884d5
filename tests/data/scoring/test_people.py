"""People as a reference: eight transitions and three people, every figure worked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from calm.errors import UsageError
from calm.records import Judgement, LabelledTransition, Subgoal, Task, Transition, Verdict
from data.evaluation.evaluate import EvaluationTable, LabelReference, TableOptions, evaluate_against
from data.schema import Label
from data.scoring.people import count_votes, people_reference, winning_class
from tests.support.scripted_judge import Scripted

NAMES = ("key", "door")
TASK = Task("room", "Out.", tuple(Subgoal(n, "…") for n in NAMES))
ENGINE = ["key", "none", "none", "key", "door", "none", "key", "key"]
SAID = {
    #       row 0  1       2       3       4         5         6      7
    "ann": ["key", "key", "none", "key", "unsure", "unsure", "key", ""],
    "bob": ["key", "none", "none", "door", "door", "unsure", "", ""],
    "cat": ["key", "key", "door", "none", "door", "none", "", ""],
}
"""Majorities: key, key, none, none at all, door, too few sure, too few labels, nobody."""


def rows() -> list[LabelledTransition]:
    return [
        LabelledTransition(
            Transition("room", {"events": f"{i} {kind}"}, "wait", f"e{i}", 0),
            {name: name == kind for name in NAMES},
        )
        for i, kind in enumerate(ENGINE)
    ]


ROWS = rows()


def label(i: int, who: str, kind: str, asked: tuple[str, ...] = NAMES) -> Label:
    achieved = (kind,) if kind in NAMES else ()
    return Label(ROWS[i].transition.id, who, achieved, asked, kind == "unsure")


LABELS = [
    label(i, who, kind) for who, kinds in SAID.items() for i, kind in enumerate(kinds) if kind
]


def truthful(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
    kind = t.texts["events"].split()[1]
    return Judgement(Verdict.OK, {s.name: s.name == kind for s in subgoals})


def tables(*against: str, min_people: int = 2) -> list[EvaluationTable]:
    judge = Scripted("engine's twin", truthful)
    people = LabelReference(LABELS, min_people)
    return evaluate_against(against, [judge], ROWS, TASK, people, TableOptions(resamples=200))


def test_the_majority_is_the_truth_and_the_rest_is_counted() -> None:
    """Truth: key, key, none, door; the judge says key, none, none, door: TP 2, FN 1, TN 1."""
    [table] = tables("people")
    assert table.reference.kinds == ("key", "key", "none", "door")
    assert table.left_out == {
        "nobody labelled it": 1,
        "too few labels": 1,
        "too few were sure": 1,
        "no majority": 1,
    }
    [score] = table.scores
    value = {name: estimate.value for name, estimate in score.metrics.items()}
    assert value["paper_accuracy"] == 0.75
    assert value["paper_precision"] == 1.0
    assert value["paper_recall"] == pytest.approx(2 / 3)
    assert value["paper_f1"] == pytest.approx(0.8)
    assert value["mcc"] == pytest.approx(2 / np.sqrt(2 * 3 * 1 * 2))
    assert value["exact"] == 0.75
    assert score.counts["key"].astype(int).tolist() == [[2, 0, 0], [1, 1, 0]]
    assert score.subgoals["key"]["recall"].value == 0.5


def test_calibration_and_natural_rate_against_people() -> None:
    """Truth: key, key, none, door. The key is likely at rows 0 and 2, and nothing else is."""

    def eager(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        likely = {"key": 0.9 if t.texts["events"][0] in "02" else 0.2, "door": 0.2}
        return Judgement(Verdict.OK, {k: p > 0.5 for k, p in likely.items()}, likely)

    people = LabelReference(LABELS, 2)
    options = TableOptions(natural_rate=0.1, resamples=20)
    [table] = evaluate_against(["people"], [Scripted("eager", eager)], ROWS, TASK, people, options)
    [score] = table.scores
    # Yes to rows 0 and 2: recall 1/3 of three, false alarms 1 of 1; at a rate of a tenth
    # (1/3 * .1) / (1/3 * .1 + 1 * .9).
    assert score.metrics["precision"].value == 0.5
    assert score.metrics["precision_natural"].value == pytest.approx((0.1 / 3) / (0.1 / 3 + 0.9))
    assert score.calibration is not None
    # (row, key) .9 true, .2 true, .9 false, .2 false; (row, door) .2 false three times, .2 true.
    assert score.calibration.n == 8
    squares = [0.01, 0.64, 0.81, 0.04, 0.04, 0.04, 0.04, 0.64]
    assert score.calibration.brier == pytest.approx(sum(squares) / 8)
    # Two answers at .9, half of them right; six at .2, a third of them yes.
    assert score.calibration.error == pytest.approx((2 * 0.4 + 6 * (1 / 3 - 0.2)) / 8)


def test_one_table_for_each_reference_and_judges_asked_once() -> None:
    engine, people, ann = tables("engine", "people", "ann")
    assert [t.against for t in (engine, people, ann)] == ["engine", "people", "ann"]
    assert engine.scores[0].metrics["mcc"].value == 1.0
    assert (engine.scores[0].n, people.scores[0].n) == (8, 4)
    # Ann was sure of rows 0, 1, 2, 3 and 6; of four keys the engine disputes one.
    assert ann.scores[0].n == 5
    assert ann.scores[0].metrics["recall"].value == 0.75
    assert ann.left_out == {"too few were sure": 2, "nobody labelled it": 1}


def test_without_the_engine_only_what_somebody_labelled_is_asked_about() -> None:
    asked: list[str] = []

    def note(subgoals: Sequence[Subgoal], t: Transition) -> Judgement:
        asked.append(t.texts["events"])
        return truthful(subgoals, t)

    people = LabelReference(LABELS, 2)
    evaluate_against(
        ["people"], [Scripted("m", note)], ROWS, TASK, people, TableOptions(resamples=20)
    )
    assert asked == [f"{i} {kind}" for i, kind in enumerate(ENGINE[:7])]


def test_people_stand_in_the_table_beside_the_judges() -> None:
    """Against the engine: each on what they labelled; unsure is never right and never "no"."""
    engine, people = tables("engine", "people")
    ann, bob, cat = engine.people
    assert [(s.judge, s.n) for s in (ann, bob, cat)] == [("ann", 7), ("bob", 6), ("cat", 6)]
    # ann: key/key, key/none, none/none, key/key, ?/door, ?/none, key/key
    assert ann.counts["any"].astype(int).tolist() == [[1, 1, 1], [0, 3, 1]]
    assert ann.metrics["exact"].value == pytest.approx(4 / 7)
    # Each against the others, of whom one suffices. For ann: bob and cat agree on rows 0 and 4, and
    # on row 5 cat alone was sure.
    ann, bob, cat, together = people.people
    assert together.judge == "leave-one-out"
    assert ann.counts["any"].astype(int).tolist() == [[0, 0, 1], [0, 1, 1]]
    # For bob: ann and cat agree on rows 0 and 1, cat alone was sure of 4; 2 and 3 are ties; of
    # row 5 he was unsure himself.
    assert bob.counts["any"].astype(int).tolist() == [[0, 0, 1], [1, 2, 0]]
    # For cat: ann and bob agree on rows 0 and 2, bob alone was sure of 4.
    assert cat.counts["any"].astype(int).tolist() == [[0, 1, 0], [0, 2, 0]]
    assert together.counts["any"].astype(int).tolist() == [[0, 1, 2], [1, 5, 1]]
    assert together.n == 10


def test_kappas_of_everybody_with_everybody() -> None:
    agreement = tables("people")[0].agreement
    assert agreement is not None
    pairs = {(p.rater, p.other): p for p in agreement.pairs}
    # bob and cat on rows 0 to 4: key/key, none/key, none/door, door/none, door/door: 2 of 5 alike;
    # by chance key 1/5 * 2/5 + none 2/5 * 1/5 + door 2/5 * 2/5 = 8/25.
    both = pairs["bob", "cat"]
    assert (both.n, both.alike) == (5, 2)
    assert both.kappa.value == pytest.approx((2 / 5 - 8 / 25) / (1 - 8 / 25))
    assert pairs["engine's twin events", "engine"].kappa.value == 1.0
    assert pairs["engine's twin events", "cat"].n == 6
    # All three were sure of rows 0 to 3; two or more of rows 0 to 4.
    assert (agreement.fleiss_n, agreement.alpha_n) == (4, 5)
    # Pairs that differ, by row: 0, 4/2, 4/2, 6/2, 0; margins key 6, none 4, door 4, n = 14.
    assert agreement.alpha is not None
    assert agreement.alpha.value == pytest.approx(1 - 13 * 7 / (14**2 - 6**2 - 4**2 - 4**2))


def test_where_people_and_the_engine_differ() -> None:
    agreement = tables("engine", "people")[0].agreement
    assert agreement is not None
    differing = {d.row.transition.episode: (d.engine, d.labels) for d in agreement.differences}
    assert differing == {
        "e1": ("none", {"ann": "key", "bob": "none", "cat": "key"}),
        "e2": ("none", {"ann": "none", "bob": "none", "cat": "door"}),
        "e3": ("key", {"ann": "key", "bob": "door", "cat": "none"}),
    }
    assert agreement.differences[0].judges == {"engine's twin events": "none"}


def test_intervals_draw_people_as_well_as_episodes() -> None:
    """The same numbers as drawing them one by one, by hand."""
    votes = count_votes(LABELS, ROWS, {"room": TASK}, NAMES)
    reference = people_reference(votes, ROWS, NAMES, 0.5, 2)
    answers = np.array([[1, 0], [0, 0], [0, 0], [0, 1]], dtype=np.int8)
    drawn = reference.resampled(answers, 50, seed=7)
    exact = reference.resampled_exact(answers, 50, seed=7)
    rng = np.random.default_rng(7)
    episodes = rng.multinomial(4, np.full(4, 1 / 4), size=50)
    people = rng.multinomial(3, np.full(3, 1 / 3), size=50)
    of = [0, 1, 2, 4]
    for r in range(50):
        counts, right = np.zeros((3, 2, 3)), np.zeros((2, 3))
        for n, i in enumerate(of):
            sure = [
                SAID[who][i]
                for who, times in zip(sorted(SAID), people[r], strict=True)
                for _ in range(times)
                if SAID[who][i] not in ("", "unsure")
            ]
            winner = next((k for k in set(sure) if 2 * sure.count(k) > len(sure)), None)
            if winner is None:
                continue
            truth = [winner == name for name in NAMES]
            counts[0, int(any(truth)), int(answers[n].any())] += episodes[r, n]
            for g in range(2):
                counts[1 + g, int(truth[g]), answers[n, g]] += episodes[r, n]
            right[1, int(truth == [bool(x) for x in answers[n]])] += episodes[r, n]
        assert (drawn[r] == counts).all()
        assert (exact[r] == right).all()


def test_more_than_half_of_the_sure_votes_win() -> None:
    votes = count_votes(LABELS, ROWS, {"room": TASK}, NAMES)
    weights = np.array([[1, 1, 1], [3, 0, 0], [0, 1, 1]], dtype=float)
    winner = winning_class(votes, weights)
    kinds = [["" if c < 0 else votes.kinds[c] for c in row] for row in winner]
    assert kinds[0] == ["key", "key", "none", "", "door", "none", "key", ""]
    assert kinds[1] == ["key", "key", "none", "key", "", "", "key", ""]
    assert kinds[2] == ["key", "", "", "", "door", "none", "", ""]


def test_labels_about_other_subgoals_and_of_other_sets_are_left_out_and_counted() -> None:
    odd = [label(0, "dan", "key", ("key",)), Label("elsewhere", "dan", (), NAMES)]
    votes = count_votes([*LABELS, *odd], ROWS, {"room": TASK}, NAMES)
    assert (votes.elsewhere, votes.other_subgoals) == (1, 1)
    # One who was asked about more than that counts by what is asked about here.
    wide = label(7, "eve", "key", (*NAMES, "stairs"))
    votes = count_votes([wide], ROWS, {"room": TASK}, NAMES)
    assert votes.kinds == ("key",)
    # The last answer of a person counts.
    votes = count_votes(
        [label(0, "ann", "key"), label(0, "ann", "unsure")], ROWS, {"room": TASK}, NAMES
    )
    assert votes.cast[0, 0] == -1
    assert votes.unsure[0, 0]


def test_wrong_names_and_too_few_people_are_told() -> None:
    with pytest.raises(UsageError, match="unknown reference 'an': did you mean 'ann'"):
        tables("an")
    with pytest.raises(UsageError, match=r"no transition has a majority.*--min-people is 9"):
        tables("people", min_people=9)
    with pytest.raises(UsageError, match="labels are needed to score against 'people'"):
        evaluate_against(["people"], [], ROWS, TASK)
