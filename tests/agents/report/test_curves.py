"""Curves of what was measured: a panel a subgoal and a part of the reward, and none for nothing."""

from agents.report.curves import Curve, draw_panels, draw_success, earnings_panels, subgoal_panels
from tests.support.measured_runs import rows


def subgoal(name: str, source: str, share: float) -> dict[str, object]:
    return {"source": source, "subgoal": name, "share": share}


def curve(**more: object) -> Curve:
    return Curve("mine", [[row | more for row in rows(0.5, 0.75)]])


def test_a_subgoal_is_by_the_truth_where_that_is_known() -> None:
    counted = [
        subgoal("key", "truth", 0.5), subgoal("key", "judge", 0.25), subgoal("own", "judge", 0.75),
    ]  # fmt: skip
    panels = subgoal_panels([curve(), curve(subgoals=counted)])
    assert [panel.title for panel in panels] == ["key", "own (by the judge)"]
    row = {"subgoals": counted}
    assert [panel.value(row) for panel in panels] == [0.5, 0.75]
    assert [panel.value({"steps": 5}) for panel in panels] == [None, None]


def test_reward_credit_and_bonus_are_three_panels_and_what_nobody_earns_is_none() -> None:
    assert earnings_panels([curve()]) == []
    of_reward = earnings_panels([curve(return_env=0.0, return_credit=0.0, return_bonus=None)])
    assert [panel.title for panel in of_reward] == ["reward of the environment"]
    arms = [curve(return_env=0.5), curve(return_credit=2.5), curve(return_bonus=7.5)]
    panels = earnings_panels(arms)
    parts = [panel.title.split()[0].rstrip(",") for panel in panels]
    assert parts == ["reward", "credit", "bonus"]
    row = {"return_env": 0.5, "return_credit": 2.5, "return_bonus": 7.5}
    assert [panel.value(row) for panel in panels] == [0.5, 2.5, 7.5]


def test_charts_of_one_page_share_no_ids_and_say_the_same_for_the_same() -> None:
    counted = curve(subgoals=[subgoal("key", "truth", 0.5)])
    panels = subgoal_panels([counted])
    drawn = draw_panels([counted, curve()], panels, "subgoals", share=True)
    assert drawn == draw_panels([counted, curve()], panels, "subgoals", share=True)
    assert drawn.startswith('<svg class="chart"')
    assert draw_success([counted]) == draw_success([counted])
    assert draw_success([]).startswith("<svg")
