"""How a study's numbers are written, one by one."""

import pytest

from agents.report.tables import Table
from agents.study.seed_statistics import Reached
from agents.study.tables import (
    fmt_number,
    fmt_reached,
    fmt_share,
    fmt_soonest,
    fmt_steps,
    markdown,
    pays,
)
from data.scoring.metrics import Estimate


def test_estimates_have_their_interval() -> None:
    assert fmt_share(Estimate(0.97, 0.934, 1.0)) == "97 % [93, 100]"
    assert fmt_number(Estimate(0.827, 0.52, 1.0)) == "0.83 [0.52, 1.00]"


@pytest.mark.parametrize(
    ("steps", "text"), [(512, "512"), (9999, "9,999"), (300_000, "300k"), (1_250_000, "1.25M")]
)
def test_steps_are_short(steps: int, text: str) -> None:
    assert fmt_steps(steps) == text


@pytest.mark.parametrize(
    ("reached", "text", "soonest"),
    [
        (Reached(3, 3, 20_000, 10_000, 30_000, 90_000), "20k [10k, 30k], in 3 of 3", "20k"),
        (Reached(2, 3, 20_000, 10_000, None, 90_000), "20k [10k, > 90k], in 2 of 3", "20k"),
        (Reached(1, 3, None, 10_000, None, 90_000), "> 90k [10k, > 90k], in 1 of 3", "10k in 1 of 3"),  # noqa: E501
        (Reached(0, 3, None, None, None, 90_000), "> 90k, in none of 3", "never"),
    ],
)  # fmt: skip
def test_what_was_not_reached_lies_beyond_the_budget(
    reached: Reached, text: str, soonest: str
) -> None:
    assert (fmt_reached(reached), fmt_soonest(reached)) == (text, soonest)


def test_a_table_in_markdown_escapes_what_would_end_a_cell() -> None:
    table = markdown(Table(("a", "b"), [("x|y", "<a>")]))
    assert table == "| a | b |\n| --- | --- |\n| x\\|y | &lt;a> |\n"


def test_a_judge_without_weight_pays_nothing() -> None:
    assert pays({"judge": "rules", "weight": 0.1})
    assert not pays({"judge": "rules", "weight": 0.0})
    assert not pays({"judge": "none", "weight": 0.5})
