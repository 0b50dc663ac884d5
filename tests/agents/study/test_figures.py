"""How an arm is drawn: alike everywhere, unlike the others; `test_page` draws all figures."""

from pathlib import Path

import pytest

from agents.study.figures import STYLES, _count, style
from agents.study.plan import FOLDER, load_plan
from tests.support import study_cells


def test_an_arm_has_one_style_and_no_other_arm_has_it(tmp_path: Path) -> None:
    plan = study_cells.plan(tmp_path)
    assert [style(plan, arm) for arm in plan.arms] == list(STYLES[:3])
    assert len(set(map(str, STYLES))) == len(STYLES)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_no_two_arms_of_a_panel_look_alike(name: str) -> None:
    plan = load_plan(name)
    for title, arms in plan.figures.items():
        assert len({str(style(plan, arm)) for arm in arms}) == len(arms), title


def test_steps_on_an_axis_are_short() -> None:
    assert [_count(n) for n in (0, 300_000, 1_500_000)] == ["0", "300k", "1.5M"]
