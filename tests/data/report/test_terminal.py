"""Tables for a terminal."""

import pytest
from rich.console import RenderableType

from calm.records import Judgement, Usage, Verdict
from data.evaluation.evaluate import EvaluationTable, LabelReference, TableOptions, evaluate_against
from data.report.terminal import (
    fmt_interval,
    fmt_number,
    fmt_share,
    is_in_play,
    judges_that_read,
    render,
    summary_table,
)
from data.scoring.metrics import Estimate
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows, label, says
from tests.support.printed import printed
from tests.support.scripted_judge import Scripted

NAN = float("nan")
ROWS = key_and_door_rows(12)


def _text(table: RenderableType) -> list[str]:
    return [" ".join(line.split()) for line in printed(table).splitlines()]


@pytest.fixture(scope="module")
def tables() -> list[EvaluationTable]:
    lost = Judgement(Verdict.INVALID, usage=Usage(1, 30, 0, 6, 1.5, 0.25))
    judges = [
        Scripted("[bold]m", lambda s, t: lost if t.step == 2 else says(KEY.name)),
        Scripted("always-yes", lambda s, t: says(KEY.name, DOOR.name)),
    ]
    labels = [label(row, name, *row.truth) for row in ROWS for name in ("ann", "bob")]
    people = LabelReference(labels)
    options = TableOptions("small", resamples=20)
    return evaluate_against(["engine", "ann"], judges, ROWS, TASK, people, options)


def test_everything_of_a_table_is_shown(tables: list[EvaluationTable]) -> None:
    lines = _text(render(tables[0], paper=True))
    head = f"small: 12 transitions of 6 episodes (4 {KEY.name}, 4 {DOOR.name}, 4 none);"
    assert lines[0] == f"{head} natural rate 0.667"
    for title in (
        "Any subgoal, 95 % intervals by episode; exact: every subgoal right",
        "As the paper counts, subgoals given: unreadable is no",
        "By subgoal (n achieved)",
        "Unreadable answers",
        "Cost per transition, and reliability",
    ):
        assert title in lines
    assert any(line.startswith("Cohen's kappa of classes") for line in lines)
    assert any(line.startswith("[bold]m events") for line in lines)  # no markup of a judge's own
    assert "[bold]m events 0.00 0.00 0.25 11 ok, 1 invalid" in lines
    # Of the baselines nothing is told by subgoal.
    # 4 of 11 yes are right and 1 of 12 is unreadable: MCC (4 * 12 - 4 * 11) / sqrt(64 * 22).
    assert f"[bold]m events {KEY.name} 4 0.36 1.00 0.53 0.11" in lines
    assert f"always-yes events {KEY.name} 4 0.33 1.00 0.50 0.00" not in lines


def test_references_stand_side_by_side(tables: list[EvaluationTable]) -> None:
    lines = _text(summary_table(tables))
    assert any("MCC engine" in line and "F1 ann" in line for line in lines)
    always = next(line for line in lines if line.startswith("always-yes"))
    assert "0.00 (12) 0.80" in always


def test_what_is_shown_of_whom(tables: list[EvaluationTable]) -> None:
    scores = tables[0].scores
    assert [s.judge for s in judges_that_read(scores)] == ["[bold]m"]
    assert judges_that_read(scores[1:]) == scores[1:]
    assert is_in_play(scores[0], DOOR.name)


def test_numbers_are_short() -> None:
    assert [fmt_share(x) for x in (0.005, -0.001, 1.0, NAN)] == ["0.01", "0.00", "1.00", "–"]
    assert fmt_interval(Estimate(0.81, 0.754, 0.9)) == "0.81 [.75 .90]"
    assert fmt_interval(Estimate(0.5, NAN, NAN)) == "0.50"
    assert [fmt_number(x) for x in (1234.5, 0.01234, NAN)] == ["1.23e+03", "0.0123", "–"]
