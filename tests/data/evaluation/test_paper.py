"""The paper's own rows, as printed."""

from data.evaluation.paper import paper_table


def test_conditions_are_chosen_in_the_papers_order() -> None:
    rows = paper_table()
    assert {r.mode for r in rows} == {"screen", "crop"}
    assert {r.subgoals for r in rows} == {"given", "discovered"}
    parts = [paper_table(m, s) for m in ("screen", "crop") for s in ("given", "discovered")]
    assert sum(len(part) for part in parts) == len(rows)
    annotators = list(dict.fromkeys(r.annotator for r in rows))
    assert (annotators[0], annotators[-1]) == ("human", "random")
    for part in parts:
        assert [r.annotator for r in part] == annotators
    assert paper_table("events") == []


def test_f1_follows_from_precision_and_recall_as_far_as_two_digits_tell() -> None:
    for r in paper_table():
        total = r.precision + r.recall
        f1 = 2 * r.precision * r.recall / total if total else 0.0
        assert abs(f1 - r.f1) <= 0.0151, r
