"""The paper's rows, and ours below them."""

import pytest

from data.evaluation.evaluate import EvaluationTable, LabelReference, TableOptions, evaluate_against
from data.evaluation.paper import paper_table
from data.report.paper import protocol_table
from tests.support.key_and_door import KEY, TASK, key_and_door_rows, label, says
from tests.support.printed import printed
from tests.support.scripted_judge import Scripted


@pytest.fixture(scope="module")
def tables() -> list[EvaluationTable]:
    rows = key_and_door_rows(6)
    labels = [label(row, name) for row in rows[:4] for name in ("ann", "bob")]
    yes = Scripted("yes", lambda subgoals, t: says(KEY.name))
    return evaluate_against(
        ["people", "engine"], [yes], rows, TASK, LabelReference(labels), TableOptions(resamples=20)
    )


def test_each_of_our_rows_says_what_it_is_scored_against(tables: list[EvaluationTable]) -> None:
    table = protocol_table(tables)
    lines = [" ".join(line.split()) for line in printed(table).splitlines()]
    assert table.row_count == len(paper_table()) + 2 + 3  # the judge twice; ann, bob and all
    # People say none to four; "yes" is never right. The engine has four of six achieved.
    assert "yes events given people 0.00 0.00 0.00 0.00 4" in lines
    assert "yes events given engine 0.80 0.67 0.67 1.00 6" in lines
