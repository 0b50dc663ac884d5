"""Figures of an evaluation and of a table of answers, as their files have them."""

from pathlib import Path

from agents.watch.outcome_view import read_answers, read_evaluation
from calm.judges import make_judge
from calm.records import Judgement, Verdict
from data.evaluation.evaluate import evaluate
from data.judgements import write_judgements
from data.report.save import save_evaluation
from data.schema import JudgedTransition
from tests.support.key_and_door import TASK, key_and_door_rows


def test_an_evaluations_scores_are_those_of_its_file(tmp_path: Path) -> None:
    table = evaluate([make_judge("always-no")], key_and_door_rows(), {TASK.id: TASK})
    save_evaluation(tmp_path, [table])
    shown = read_evaluation(tmp_path / "evaluate.json")
    (score,) = shown["tables"][0]["scores"]
    assert (score["judge"], score["verdicts"]) == ("always-no", {"ok": 24})
    assert score["metrics"]["recall"]["value"] == 0
    assert shown["tables"][0]["transitions"] == 24
    assert shown["page"].endswith("evaluate.html")


def test_answers_are_counted_by_class(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    good, bad = Judgement(Verdict.OK, {"key": True}), Judgement(Verdict.INVALID)
    answers = enumerate([good, good, bad])
    write_judgements(path, [JudgedTransition(f"t{i}", "m", "events", a) for i, a in answers])
    (of,) = read_answers(path)["judges"]
    assert of == {
        "judge": "m", "mode": "events", "answers": 3, "verdicts": {"ok": 2, "invalid": 1},
    }  # fmt: skip


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"tables": [{}]}', '{"tables": 3}'):
        (tmp_path / "evaluate.json").write_text(text)
        assert "is no file of" in read_evaluation(tmp_path / "evaluate.json")["problem"]
    (tmp_path / "a.parquet").write_text("PAR1")
    assert "can't be read" in read_answers(tmp_path / "a.parquet")["problem"]
