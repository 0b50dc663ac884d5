"""Charts follow the reader's scheme, alone and inside a page."""

import re

from matplotlib.figure import Figure

from agents.report.svg import DARK, themed, to_svg


def chart() -> str:
    figure = Figure(figsize=(2, 2))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#111111", label="a")
    axes.plot([0, 1], [1, 0], color="#123456")
    return to_svg(figure)


def test_text_axes_ground_and_lines_have_a_colour_for_the_dark() -> None:
    svg = chart()
    assert svg.startswith('<svg class="chart" ')
    style, rest = svg.split("</style>", 1)
    for colour in ("#000000", "#ffffff", "#111111"):
        name = colour[1:]
        assert f"--chart-{name}: {colour};" in style
        assert f"--chart-{name}: {DARK[colour]};" in style.split("dark)")[1]
        # Only as a fallback where a reader knows no variables.
        assert not re.search(rf"(?<!, ){colour}", rest)
    assert "fill: var(--chart-000000" in style  # letters have no colour of their own
    assert "stroke: #123456" in rest  # not ours: as it is
    assert "viewBox" in svg


def test_the_same_figure_gives_the_same_text() -> None:
    assert chart() == chart()


def test_a_chart_made_before_can_be_given_the_scheme() -> None:
    old = '<svg viewBox="0 0 1 1"><defs></defs><path style="stroke: #000000"/></svg>'
    assert 'style="stroke: var(--chart-000000, #000000)"' in themed(old)
