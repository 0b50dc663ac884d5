"""What a study shows after equal time, from results worked by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.study.equal_time import at_equal_time, equal_time_table, fmt_seconds
from agents.study.findings import Findings, find
from agents.study.page import write_study
from agents.study.plan import Plan
from agents.study.results import Result
from tests.support import study_cells


def slow_rules(folder: Path) -> tuple[Plan, list[Result]]:
    """Unshaped in 1, 2, 3, 4, 5 s for 0 to 400 steps, `rules` in 2, 4, 6, 8, 10 s."""
    plan = replace(study_cells.plan(folder), by_seconds=True)
    results = study_cells.study(plan)[:6]
    for result in results[3:]:
        for row in result.rows:
            row["seconds"] *= 2
    return plan, results


def found(folder: Path) -> tuple[Plan, Findings]:
    plan, results = slow_rules(folder)
    return plan, find(plan, results)


def test_arms_are_read_when_the_quickest_was_done(tmp_path: Path) -> None:
    timed = at_equal_time(*found(tmp_path))
    rules, fair = timed.arms["KeyRoom-S5", "rules"], timed.arms["KeyRoom-S5", "fair"]
    # At 5 s `rules` is half way from 100 steps (4 s, success 0) to 200 (6 s, success .5).
    assert rules.seconds == fair.seconds == 5
    assert rules.steps.tolist() == [150, 150, 150]
    assert rules.finals.tolist() == [0.25, 0.25, 0.25]
    # 0 for 4 s, then rising to .25 in one: .125 over 5 s.
    assert rules.areas.tolist() == pytest.approx([0.025] * 3)
    # It got to .9 at 8 s, which is too late.
    assert (rules.reached.n, rules.reached.least, rules.reached.budget) == (0, None, 5)
    assert fair.steps.tolist() == [400, 400, 400]
    assert fair.finals.tolist() == [0, 0.1, 0.2]
    # The last second rises to the end's success: half of it over 5 s.
    assert fair.areas.tolist() == pytest.approx([0, 0.01, 0.02])


def test_what_was_reached_in_the_time_is_told_in_seconds(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    timed = at_equal_time(plan, find(plan, study_cells.study(plan)[:6]))
    assert timed.arms["KeyRoom-S5", "rules"].reached[:5] == (3, 3, 4, 4, 4)


def test_the_processors_time_is_taken_where_every_cell_has_it(tmp_path: Path) -> None:
    plan, results = slow_rules(tmp_path)
    for result in results:  # the processor made no difference between them
        for row in result.rows:
            row["cpu_seconds"] = row["steps"] / 50
    rules = at_equal_time(plan, find(plan, results)).arms["KeyRoom-S5", "rules"]
    assert (rules.clock, rules.seconds, rules.steps.tolist()) == ("cpu_seconds", 8, [400] * 3)
    del results[0].rows[0]["cpu_seconds"]
    rules = at_equal_time(plan, find(plan, results)).arms["KeyRoom-S5", "rules"]
    assert (rules.clock, rules.seconds, rules.steps.tolist()) == ("seconds", 5, [150] * 3)


def test_pairs_are_compared_over_the_time(tmp_path: Path) -> None:
    (pair,) = at_equal_time(*found(tmp_path)).pairs
    assert (pair.first, pair.second, pair.task) == ("rules", "fair", "KeyRoom-S5")
    # .025 beats 0, .01 and .02; .25 beats 0, .1 and .2.
    assert pair.by_area.probability.value == pair.by_final.probability.value == 1
    assert pair.by_area.p == pytest.approx(0.1)


def test_the_table_has_a_row_an_arm(tmp_path: Path) -> None:
    plan, findings = found(tmp_path)
    table = equal_time_table(plan, at_equal_time(plan, findings))
    assert [tuple(map(str, row[:5])) for row in table.rows] == [
        ("KeyRoom-S5", "unshaped", "3", "5 s by the wall clock", "400"),
        ("KeyRoom-S5", "rules", "3", "5 s by the wall clock", "150"),
    ]
    assert [row[-2:] for row in table.rows] == [
        ("> 5 s, in none of 3", "0 10 20"),
        ("> 5 s, in none of 3", "25 25 25"),
    ]


def test_times_of_several_kinds_of_machine_are_said_to_be(tmp_path: Path) -> None:
    plan, results = slow_rules(tmp_path)
    results[0] = replace(results[0], provenance={**results[0].provenance, "machine": "another"})
    findings = find(plan, results)
    table = equal_time_table(plan, at_equal_time(plan, findings))
    assert {row[3] for row in table.rows} == {"5 s by the wall clock, on 2 kinds of machine"}


def test_only_a_plan_that_asks_for_it_has_the_table(tmp_path: Path) -> None:
    plan, results = slow_rules(tmp_path)
    for wanted in (True, False):
        folder = tmp_path / str(wanted)
        write_study(replace(plan, by_seconds=wanted), results, folder, folder / "report.html")
        for name in ("README.md", "report.html"):
            text = (folder / name).read_text("utf-8")
            assert ("Success at equal time" in text) is wanted
            assert ("P(better), over the time" in text) is wanted


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.6, "5 s"), (599, "599 s"), (720, "12 min"), (12_240, "3.4 h")]
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert fmt_seconds(seconds) == text
