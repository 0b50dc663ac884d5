"""How an arm is drawn: alike everywhere, unlike the others; `test_page` draws all figures."""

from pathlib import Path

from agents.study.figures import STYLES, _count, style
from tests.support import study_cells


def test_an_arm_has_one_style_and_no_other_arm_has_it(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    assert [style(plan, arm) for arm in plan.arms] == list(STYLES[:3])
    assert len(set(map(str, STYLES))) == len(STYLES)


def test_steps_on_an_axis_are_short() -> None:
    assert [_count(n) for n in (0, 300_000, 1_500_000)] == ["0", "300k", "1.5M"]
