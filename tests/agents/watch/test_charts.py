"""Charts are drawn when they are asked for, and not again before there is something new."""

import pytest

from agents.report.curves import Curve
from agents.watch import charts as module
from agents.watch.charts import Charts
from tests.support.measured_runs import rows

SUBGOALS = {"subgoals": [{"source": "truth", "subgoal": "key", "share": 0.5}]}


def curve(*successes: float, **more: object) -> Curve:
    return Curve("mine", [[row | more for row in rows(*successes)]])


def test_there_is_a_chart_of_whatever_was_measured() -> None:
    charts = Charts()
    assert charts.list() == []
    charts.update(1, [curve()])
    assert charts.list() == []
    charts = Charts()
    charts.update(1, [curve(0.25, 0.5)])
    (success,) = charts.list()
    assert success["alt"] == "Success at the last evaluation: mine: 50%"
    assert charts.draw("earnings") is None
    assert charts.draw("no such kind") is None
    charts = Charts()
    charts.update(1, [curve(0.5, return_env=0.5, return_credit=0.0, return_bonus=None, **SUBGOALS)])
    assert [chart["kind"] for chart in charts.list()] == ["success", "earnings", "subgoals"]
    assert charts.list()[1]["alt"] == "A curve each for: reward of the environment"
    assert charts.list()[2]["alt"] == "A curve each for: key"
    drawn = {kind: charts.draw(kind) for kind in module.KINDS}
    assert all(svg is not None and svg.startswith("<svg") for svg in drawn.values())
    assert all('xmlns="http://www.w3.org/2000/svg"' in str(svg) for svg in drawn.values())
    assert charts.draw("success") is drawn["success"]


def test_a_new_version_comes_with_new_figures_and_not_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charts = Charts()
    charts.update(1, [curve(0.25)])
    charts.update(1, [curve(0.25)])
    charts.update(2, [curve(0.25, 0.5)])
    assert charts.version == 1
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.0)
    charts = Charts()
    charts.update(1, [curve(0.25)])
    charts.update(2, [curve(0.25, 0.5)])
    assert charts.version == 2
