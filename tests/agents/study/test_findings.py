"""What a study shows, from results worked by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.study.findings import find
from agents.study.page import readme_table
from agents.study.plans.load import load_plan
from agents.study.statement import statement
from agents.study.tables import farming_table
from tests.support import study_cells


def test_success_area_and_steps_to_ninety(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    findings = find(plan, study_cells.study(plan))
    rules, fair = findings.arms["KeyRoom-S5", "rules"], findings.arms["KeyRoom-S5", "fair"]
    assert rules.final.value == pytest.approx(0.94)
    assert (rules.final.low, rules.final.high) == pytest.approx((0.92, 0.96))
    # Seed 0, trapezoids of 100 steps: 0, .25, .7, .91 over 4.
    assert rules.areas[0] == pytest.approx(1.86 / 4)
    assert (rules.reached.median, rules.reached.n) == (300, 3)
    assert (fair.reached.median, fair.reached.n, fair.reached.budget) == (None, 0, 400)
    pair = findings.pair("rules", "fair", "KeyRoom-S5")
    assert pair is not None
    assert pair.by_area.probability.value == 1.0
    assert pair.by_final.p == pytest.approx(0.1)


def test_farming_is_repeats_that_the_unpaid_do_not_make(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    findings = find(plan, study_cells.study(plan))
    every, fair = (
        findings.arms["KeyRoom-S5", "every"].farming,
        findings.arms["KeyRoom-S5", "fair"].farming,
    )
    assert every is not None
    assert fair is not None
    assert every.approaches == pytest.approx(10.0)
    assert every.deeds == 0.0
    assert every.per_hundred.value == pytest.approx(20.0)  # 10 in an episode of 50 steps
    # Weight .3 of the default: 4 credit an episode, 10 of the judge's repeats.
    assert every.credit == pytest.approx(1.2)
    assert every.for_repeats == pytest.approx(3.0)
    assert every.false == pytest.approx(0.5)
    assert (fair.judged, fair.credit, fair.for_repeats) == (None, None, None)
    rules = findings.arms["KeyRoom-S5", "rules"].farming
    assert rules is not None
    assert rules.for_repeats == 0.0
    assert rules.credit == pytest.approx(2.0)
    falling = [
        replace(result, config=result.config | {"weight_end": 0.1})
        for result in study_cells.study(plan)
    ]
    ended = find(plan, falling).arms["KeyRoom-S5", "every"].farming
    assert ended is not None
    assert ended.credit == pytest.approx(0.4)  # what it pays when training ends


def test_where_no_truth_is_known_nothing_is_said_by_it(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    results = study_cells.study(plan)
    for result in results:
        for row in result.rows:
            row["subgoals"] = [s for s in row["subgoals"] if s["source"] == "judge"]
    findings = find(plan, results)
    every = findings.arms["KeyRoom-S5", "every"].farming
    assert every is not None
    assert (every.approaches, every.deeds, every.per_hundred) == (None, None, None)
    assert every.for_repeats == pytest.approx(3.0)  # by the judge
    assert findings.arms["KeyRoom-S5", "fair"].farming is None
    text = "\n".join(statement(plan, findings)["KeyRoom-S5"])
    assert "farm" not in text
    assert "repeated" not in text
    (row,) = [r for r in farming_table(plan, findings).rows if r[1] == "every"]
    assert row[5:9] == ("–", "–", "–", "10.00")


def test_an_arm_of_which_some_seeds_got_there_is_told_so(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    some = [study_cells.result(plan, "rules", s, 0, 0, 0, 0.95 * (s == 1)) for s in range(3)]
    findings = find(plan, [*some, *study_cells.study(plan)[:3]])
    text = "\n".join(statement(plan, findings)["KeyRoom-S5"])
    assert "Fewer than half of the seeds reached it of: “rules” (1 of 3, first at 300)." in text
    assert (
        readme_table(plan, findings)
        .splitlines()[3]
        .startswith("| rules | 32 % [0, 95]; 300 in 1 of 3")
    )


def test_an_arm_that_is_heard_and_not_paid_is_no_shaped_one(tmp_path: Path) -> None:
    path = tmp_path / "told.yaml"
    path.write_text(study_cells.PLAN.replace("weight: 0.5", "weight: 0"))
    plan = load_plan("told", path)
    findings = find(plan, study_cells.study(plan))
    text = "\n".join(statement(plan, findings)["KeyRoom-S5"])
    assert "“rules” is ahead of “unshaped”" in text
    assert "Without this credit" not in text
    assert [row[2] for row in farming_table(plan, findings).rows] == ["–", "–", "every"]


def test_over_all_tasks_only_where_an_arm_has_all(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(study_cells.PLAN.replace("arms:", "  KeyRoom-S15: {steps: 400}\narms:", 1))
    plan = load_plan("two", path)
    study = study_cells.study(plan)
    other = [replace(r, cell=r.cell._replace(task="KeyRoom-S15")) for r in study[:6]]
    findings = find(plan, [*study, *other])
    assert findings.whole("every") is None
    whole = findings.whole("rules")
    assert whole is not None
    assert whole.value == pytest.approx(0.94)  # of .92 .94 .96 twice, without .92 and .96 once each
    lines = readme_table(plan, findings).splitlines()
    assert lines[0].endswith("| all tasks |")
    assert lines[4].endswith("| – | – |")
    text = "\n".join(statement(plan, findings)["Several tasks together"])
    assert "“rules” is ahead of “unshaped” over the steps (all tasks together)" in text
    assert "p = 0.005." in text
    less = find(plan, [r for r in other if r.cell.seed] + study)
    assert "94 % [94, 96]; 300 (2 seeds)" not in readme_table(plan, less)  # all there have two
    assert "KeyRoom-S15, 400 steps, 2 seeds" in readme_table(plan, less)
    assert less.whole("rules") is None  # three seeds on the other task
    mixed = find(plan, [*study, *other[:3], *other[4:]])
    assert "; 300 (2 seeds)" in readme_table(plan, mixed)
