"""How an arm is drawn: alike everywhere, unlike the others; `test_page` draws all figures."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agents.study.figures import STYLES, _count, draw_curves, draw_finals, style
from agents.study.findings import find
from agents.study.plans.load import FOLDER, load_plan
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


def test_what_matplotlib_reads_as_a_formula_is_drawn_as_words(tmp_path: Path) -> None:
    """Or leaves out of a legend, as what begins with _."""
    path = tmp_path / "odd.yaml"
    odd = {"fair": "'$\\beta_{0.5$'", "rules": "_rules", "every": "'pays $5 to $10'"}
    text = study_cells.PLAN.replace("all of them:", "'$\\foo$':")
    for arm, label in odd.items():
        text = text.replace(f"label: {'unshaped' if arm == 'fair' else arm}", f"label: {label}")
    path.write_text(text)
    plan = load_plan("odd", path)
    findings = find(plan, study_cells.study(plan))
    for svg in (draw_curves(plan, findings, plan.figures), draw_finals(plan, findings)):
        for label in ("$\\beta_{0.5$", "_rules", "pays $5 to $10"):
            assert f"<!-- {label} -->" in svg


def test_a_legend_of_many_arms_has_room(tmp_path: Path) -> None:
    """A line of it takes a sixth of an inch, of 72 points."""
    plan = study_cells.plan(tmp_path)
    arms = {f"a{i}": replace(plan.arms["rules"], label=f"arm {i}") for i in range(20)}
    many = replace(plan, arms=arms)
    cells = [study_cells.result(plan, "rules", seed, 0, 0.5) for seed in range(2)]
    results = [replace(one, cell=one.cell._replace(arm=arm)) for arm in arms for one in cells]
    findings = find(many, results)
    height = re.search(r'height="([0-9.]+)pt"', draw_curves(many, findings, {"all": list(arms)}))
    assert height is not None
    assert float(height[1]) > 20 * 72 / 6


def test_steps_on_an_axis_are_short() -> None:
    assert [_count(n) for n in (0, 300_000, 1_500_000)] == ["0", "300k", "1.5M"]
