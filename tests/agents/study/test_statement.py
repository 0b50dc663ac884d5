"""What a study's statement says of results worked by hand."""

from dataclasses import replace
from pathlib import Path

from agents.study.equal_time import at_equal_time
from agents.study.findings import find
from agents.study.page import readme_table
from agents.study.statement import caveat, statement
from tests.support import study_cells


def test_the_statement_says_what_the_numbers_say(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    text = "\n".join(statement(plan, find(plan, study_cells.study(plan)))["KeyRoom-S5"])
    assert "“rules” is ahead of “unshaped”, on the way and at the end" in text
    assert "Without this credit the task is not solved within these steps." in text
    assert "“every” and “unshaped”: a tie" in text
    assert text.count("Here this credit adds nothing that these seeds can show") == 1
    assert "“every” farms: it repeats a subgoal 20.00" in text
    assert "No seed reached it of: “unshaped”, “every”." in text
    assert "(P(better) 1.00 [1.00, 1.00] over the steps, p = 0.1; 1.00" in text
    assert "no action to drop or to close" in text
    assert "key" not in text.partition("No deed")[2]
    calm = [study_cells.result(plan, "every", s, 0, 0.1, near=0.5) for s in range(3)]
    fair = [study_cells.result(plan, "fair", s, 0, 0.1, near=1.0) for s in range(3)]
    text = "\n".join(statement(plan, find(plan, [*calm, *fair]))["KeyRoom-S5"])
    assert "“every” is not seen to farm" in text


def test_few_seeds_are_told_to_be_few(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    assert "3 seeds against 3 can't give a p below 0.1," in caveat(
        find(plan, study_cells.study(plan))
    )
    one = [study_cells.result(plan, "fair", 0, 0.5)]
    assert "may be luck" in caveat(find(plan, one))
    assert "p values are not adjusted" in caveat(find(plan, one))
    # One seed that repeats much is no finding of an arm.
    farming = [
        study_cells.result(plan, arm, 0, 0, 0.1, near=n) for arm, n in (("fair", 1), ("every", 9))
    ]
    assert "farm" not in "\n".join(statement(plan, find(plan, farming))["KeyRoom-S5"])


def test_two_seeds_give_no_verdict_and_are_said_to_give_none(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    two = [r for r in study_cells.study(plan) if r.cell.seed < 2]
    findings = find(plan, two)
    assert "below 0.33, so that nothing is said of who does better." in caveat(findings)
    assert "too few seeds for a verdict, 2 and 2" in "\n".join(
        statement(plan, findings)["KeyRoom-S5"]
    )


def test_the_least_p_is_that_of_the_pairs_that_are_compared(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    # `every` has two seeds: its pair is of 2 against 3, `rules` and `unshaped` are 3 against 3.
    results = [r for r in study_cells.study(plan) if (r.cell.arm, r.cell.seed) != ("every", 2)]
    text = caveat(find(plan, results))
    assert "The fewest seeds of an arm are 2." in text
    assert (
        "3 seeds against 3 can't give a p below 0.1, which is then taken for a verdict; of" in text
    )
    assert "of fewer than 3 nothing is said of who does better." in text


def test_what_holds_at_equal_time_is_said_beside_what_holds_by_steps(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    results = study_cells.study(plan)[:6]
    for result in results[3:]:  # `rules` takes four times as long
        for row in result.rows:
            row["seconds"] *= 4
    findings = find(plan, results)
    lines = statement(plan, findings, at_equal_time(plan, findings))["KeyRoom-S5"]
    (by_steps,) = (line for line in lines if line.startswith("“rules” is ahead"))
    assert by_steps.startswith("“rules” is ahead of “unshaped”, on the way and at the end")
    # After 5 s `rules` has just made 25 steps: 0 beside 0, .1 and .2.
    (by_time,) = (line for line in lines if line.startswith("At equal time"))
    assert by_time.startswith("At equal time: “rules” and “unshaped”: a tie")
    assert "over the time, p = " in by_time


def test_unlike_budgets_are_told(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    results = [
        replace(r, config=r.config | {"steps": 4000}) if r.cell.arm == "rules" else r
        for r in study_cells.study(plan)
    ]
    findings = find(plan, results)
    text = "\n".join(statement(plan, findings)["KeyRoom-S5"])
    assert "Success on unseen levels after 400 to 4,000 steps" in text
    assert "They were trained for 4,000 and 400 steps." in text
    assert "KeyRoom-S5, 400 to 4,000 steps, 3 seeds" in readme_table(plan, findings)


def test_an_arm_that_its_task_pays_nothing_has_no_credit_to_speak_of(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    unpaid = [replace(r, config=r.config | {"weight": 0.0}) for r in study_cells.study(plan)]
    text = "\n".join(statement(plan, find(plan, unpaid))["KeyRoom-S5"])
    assert "this credit" not in text
    assert "farm" not in text


def test_a_subgoal_that_a_judge_never_confirmed_is_warned_of(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    results = [
        study_cells.result(plan, arm, s, 0, 0.5) for arm in ("rules", "fair") for s in (0, 1)
    ]
    text = "\n".join(statement(plan, find(plan, results))["KeyRoom-S5"])
    assert "was paid nothing" not in text
    for result in results:
        for row in result.rows:
            for times in row["subgoals"]:
                if times["source"] == "judge" and times["subgoal"] == study_cells.KEY:
                    times["share"] = 0.0
    text = "\n".join(statement(plan, find(plan, results))["KeyRoom-S5"])
    assert "“rules” was paid nothing for pick up the key: its judge confirmed" in text
    assert "“unshaped” was paid nothing" not in text
