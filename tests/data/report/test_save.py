"""An evaluation as files."""

import json
from pathlib import Path

from data.evaluation.evaluate import TableOptions, evaluate
from data.judgements import read_judgements
from data.report.save import save_evaluation
from tests.support.key_and_door import TASK, key_and_door_rows, says
from tests.support.scripted_judge import Scripted


def test_a_page_the_numbers_and_every_answer(tmp_path: Path) -> None:
    judge = Scripted("none", lambda subgoals, t: says())
    options = TableOptions("set v1/natural", resamples=20)
    table = evaluate([judge], key_and_door_rows(6), TASK, options)
    save_evaluation(tmp_path / "out", [table])
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["answers-set-v1-natural.parquet", "evaluate.html", "evaluate.json"]
    assert json.loads((tmp_path / "out" / "evaluate.json").read_text()) == {
        "tables": [table.to_dict()]
    }
    answers = read_judgements(tmp_path / "out" / files[0])
    assert answers == table.judged
    assert len(answers) == 6
