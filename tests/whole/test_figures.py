"""Figures in documents are those of the committed results that they cite.

A table is compared row by row. Of prose every number of a kind (a percentage, a score) must be one
that the cited results hold: a result that is made anew takes its documents along, or this fails.
"""

import json
import re
import statistics
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agents.bench.encoder_table import MARKING
from agents.study.findings import Findings, find
from agents.study.page import readme_table
from agents.study.plans.load import load_plan
from agents.study.results import read_results
from docs.generate.includes import section_of

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "agents" / "results"
STUDIES = {
    "encoders": "encoders",
    "forms": "forms",
    "keyroom": "keyroom",
    "keyroom-dark-s15": "keyroom",
    "keyroom-dark-s15-turned": "rivals",
    "keyroom-s15-unpaid": "rivals",
    "keyroom-tune": "keyroom-tune",
    "keyroom-turned": "keyroom-turned",
    "memory": "memory",
    "memory-turned": "memory",
    "message": "message",
    "rivals": "rivals",
    "rivals-tune": "rivals-tune",
    "semantics": "semantics",
    "sixteen": "sixteen",
}
"""By folder of results, the plan."""
TITLE = "calm-credit-assignment-with-language-models"


def readme(section: str) -> str:
    """Returns a section of the README."""
    text = section_of((ROOT / "README.md").read_text("utf-8"), section)
    assert text, section
    return text


def rows_of(text: str) -> list[list[str]]:
    """Returns the cells of the rows of the tables in a text, without marks of emphasis."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("*`") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


def percentages(text: str) -> list[int]:
    """Returns every percentage of a text, those of a list such as "1, 80 and 2 %" too.

    >>> percentages("1, 80 and\\n  2 % of S15, and 7\\u00a0% else; of 180 cells")
    [1, 80, 2, 7]
    """
    listed = re.findall(r"((?:(?<!\w)\d+(?:,| and|, and)\s+)*(?<!\w)\d+)\s%", text)
    return [int(number) for part in listed for number in re.findall(r"\d+", part)]


def in_columns(page: str, title: str) -> list[str]:
    """Returns the numbers in the columns of a page's tables whose title ends so."""
    numbers, columns, width = [], [], 0
    for row in rows_of(page):
        if any(cell.endswith(title) for cell in row):
            columns = [i for i, cell in enumerate(row) if cell.endswith(title)]
            width = len(row)
        elif len(row) == width:
            numbers += [n for i in columns for n in row[i].split()]
    return numbers


def study_pages() -> list[str]:
    """Returns the committed pages of all studies."""
    return [path.read_text("utf-8") for path in sorted(RESULTS.glob("*/README.md"))]


@cache
def findings_of(folder: str) -> Findings:
    """Returns what the committed cells of a study show."""
    return find(load_plan(STUDIES[folder]), list(read_results(RESULTS / folder).values()))


@cache
def outcome() -> dict[str, Any]:
    """Returns what the committed demo came to."""
    value: dict[str, Any] = json.loads((RESULTS / "demo" / "outcome.json").read_text("utf-8"))
    return value


def test_percentages_of_a_list_are_all_read() -> None:
    assert percentages("1, 80 and\n  2 % of S15, and 7 % else; of 180 cells") == [1, 80, 2, 7]


def test_the_table_of_the_demo_is_its_outcome() -> None:
    header, *rows = rows_of(readme(TITLE))
    agents = outcome()["agents"]
    assert header[3] == f"success at {agents[0]['steps']:,} steps"
    assert len(rows) == len(agents)
    for row, agent in zip(rows, agents, strict=True):
        assert row[0].replace("`", "") == agent["label"]
        reached = "never" if agent["to_90"] is None else f"{agent['to_90']:,} steps"
        low, high = (round(100 * agent[end]) for end in ("low", "high"))
        assert row[2:] == [reached, f"{100 * agent['success']:.0f} % [{low}, {high}]"]


def test_the_demo_says_how_much_was_asked_and_on_which_machine() -> None:
    text = " ".join(readme(TITLE).split())
    assert f"answered {outcome()['asked']:,} distinct questions" in text
    assert outcome()["provenance"]["machine"] in text
    assert "another machine's figures differ" in text


@pytest.mark.parametrize("name", STUDIES)
def test_a_studys_page_shows_the_table_of_its_cells(name: str) -> None:
    table = readme_table(load_plan(STUDIES[name]), findings_of(name))
    assert table.strip() in (RESULTS / name / "README.md").read_text("utf-8")


def test_the_readmes_table_of_the_rivals_is_their_studys() -> None:
    header, *rows = rows_of(readme("does-judged-credit-help"))
    arms = ("fair", "novelty", "rnd", "e3b", "rules", "model", "rules-novelty", "truth")
    large = {
        "KeyRoom-S15": {"novelty": "novelty-0.1"},
        "KeyRoom-S15-Junk": {"novelty": "novelty-0.1"},
    }
    assert len(header) == 1 + len(arms)
    findings = findings_of("rivals").arms
    assert {row[0].split(", ")[0] for row in rows} == {task for task, _ in findings}
    for task, *cells in rows:
        task, _ = task.split(", ")
        for arm, cell in zip(arms, cells, strict=True):
            result = findings.get((task, large.get(task, {}).get(arm, arm)))
            if cell == "–":
                assert result is None or result.seeds < 5, (task, arm)
            else:
                assert result is not None, (task, arm)
                assert result.seeds == 5, (task, arm)
                assert cell == f"{100 * result.final.value:.0f}", (task, arm)


def said_of_the_studies() -> str:
    """Returns what documents say about the studies."""
    summary = (ROOT / "docs" / "results" / "summary.md").read_text("utf-8")
    return readme("does-judged-credit-help") + summary


def test_every_percentage_said_of_the_studies_is_one_of_theirs() -> None:
    prose = "\n".join(x for x in said_of_the_studies().splitlines() if not x.startswith("|"))
    numbers = percentages(prose)
    assert len(numbers) >= 10
    held = {number for page in study_pages() for number in percentages(page)}
    for page in study_pages():
        held |= {int(number) for number in in_columns(page, ", %") if number.isdigit()}
    assert [number for number in numbers if number not in held] == []


def test_every_rate_said_of_the_studies_is_one_of_theirs() -> None:
    rates = re.findall(r"(?<!\d)\.\d\d", said_of_the_studies())
    arms = " ".join(str(arm.settings.get("judge")) for arm in load_plan("keyroom").arms.values())
    held = set(re.findall(r"=0(\.\d\d)", arms))
    for page in study_pages():
        held |= {number[1:] for number in in_columns(page, " heard") if number.startswith("0.")}
    assert [rate for rate in rates if rate not in held] == []


def test_the_readmes_table_of_models_is_the_committed_one() -> None:
    """Scores are written `.59`; test_model_results.py computes the committed ones anew."""
    folder = ROOT / "data" / "results" / "models"
    page, cells = ((folder / name).read_text("utf-8") for name in ("README.md", "table.md"))
    rows = rows_of(readme("with-a-language-model"))
    assert [row for row in rows if row not in rows_of(page)] == []
    for row in rows:
        for estimate in re.findall(r"-?\.\d\d \[.*?\]", " ".join(row)):
            assert estimate.replace(".", "0.", 1) in cells


def test_every_score_said_of_models_is_one_of_theirs() -> None:
    scores = re.findall(r"(?<!\d)\.\d\d", readme("with-a-language-model"))
    folder = ROOT / "data" / "results" / "models"
    held = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.md")))
    assert [score for score in scores if score not in held] == []


def test_the_readmes_table_of_encoders_is_the_studys() -> None:
    page = (RESULTS / "encoders" / "README.md").read_text("utf-8")
    labels = {arm.label: name for name, arm in load_plan("encoders").arms.items()}
    measured: dict[str, dict[str, str]] = {}
    for section, time, success in (("success", 3, 4), ("success-at-equal-time", 3, 5)):
        for row in rows_of(section_of(page, section))[1:]:
            seeds = "" if row[2] == "3" else "†"
            percent = row[success].partition(" %")[0] + seeds
            amount = re.sub(r"(?<=\d)k$", "k steps", row[time])
            measured.setdefault(f"{row[0]}, {amount}", {})[labels[row[1]]] = percent
    header, *rows = rows_of(readme("encoders"))
    assert {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows} == measured


def measured_looks(name: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Returns the drawings that `calm explain --json` gave, by encoder and source."""
    by_row: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for drawing in json.loads((RESULTS / "encoders" / name).read_text("utf-8")):
        by_row.setdefault((drawing["encoder"], drawing["source"]), []).append(drawing)
    return by_row


def look_rows(task: str) -> list[list[str]]:
    """Returns the rows of a task's table of where encoders look, without its header."""
    page = (ROOT / "docs" / "results" / "where-they-look.md").read_text("utf-8")
    return rows_of(section_of(page, task))[1:]


def moves(check: dict[str, Any]) -> str:
    """Returns whether hiding the top cells moves the policy more than hiding random ones."""
    return said(check["more_low"], check["more_high"], "more", "less")


def test_where_encoders_look_on_lavacross_is_what_was_measured() -> None:
    measured, rows = measured_looks("where-they-look.json"), look_rows("lavacross")
    assert [(row[0], row[1]) for row in rows] == list(measured)
    for encoder, source, more, nats, objects in rows:
        of = measured[encoder, source]
        checks = [drawing["check"] for drawing in of]
        assert more.split(", ") == [moves(check) for check in checks]
        assert nats.split("; ") == [
            f"{check['kl_top']:.3f} / {check['kl_random']:.3f}" for check in checks
        ]
        assert objects.split(", ") == moved(of, "pick up an object", "objects")


def moved(drawings: list[dict[str, Any]], subgoal: str, kind: str) -> list[str]:
    """Returns how each drawing's importance of a kind moves once a subgoal is achieved."""
    shifts = [
        shift["more"]
        for drawing in drawings
        for shift in drawing["by_subgoal"]
        if (shift["subgoal"], shift["kind"]) == (subgoal, kind)
    ]
    return [said(more["low"], more["high"], "rises", "falls") if more else "–" for more in shifts]


STAGES = (
    "none yet",
    "come within 2 steps of the key",
    "come within 2 steps of the locked door with the key",
    "come within 4 steps of the staircase down",
)


def test_where_encoders_look_on_s15_is_what_was_measured() -> None:
    measured = measured_looks("where-they-look-s15.json")
    rows = look_rows("keyroom-s15-the-key-the-door-the-stairs")
    assert [(row[0], row[1]) for row in rows] == list(measured)
    for encoder, source, more, nats, *of_kinds, doors in rows:
        of = measured[encoder, source]
        checks = [drawing["check"] for drawing in of]
        assert more.split(", ") == [moves(check) for check in checks]
        assert doors.split(", ") == moved(of, "pick up the key", "doors")
        assert nats.split("; ") == [
            " / ".join(f"{check[f'kl_{which}']:.2f}" for which in ("top", "random", "bottom"))
            for check in checks
        ]
        kinds = {"objects": STAGES[:2], "doors": STAGES, "stairs": STAGES}
        assert of_kinds == [
            " / ".join(importance_of(of, stage, kind) for stage in at) for kind, at in kinds.items()
        ]


def test_how_many_agents_weights_mark_what_matters_is_what_was_measured() -> None:
    by_encoder: dict[str, list[bool]] = {}
    for name in ("where-they-look.json", "where-they-look-s15.json"):
        for (encoder, source), drawings in measured_looks(name).items():
            if source == "mechanism":
                checks = [drawing["check"] for drawing in drawings]
                by_encoder.setdefault(encoder, []).extend(
                    check["more_low"] > 0 and check["kl_top"] >= check["kl_bottom"]
                    for check in checks
                )
    assert {e: (sum(marks), len(marks)) for e, marks in by_encoder.items()} == MARKING


def importance_of(drawings: list[dict[str, Any]], furthest: str, kind: str) -> str:
    """Returns a kind's importance at a stage, the median of the drawings that have one.

    – where it is out of sight in all, few where it is in sight in too few episodes of each.
    """
    stages = [stage for drawing in drawings for stage in drawing["by_stage"]]
    at = [stage["importance"] for stage in stages if stage["furthest"] == furthest]
    in_sight = [importance[kind] for importance in at if kind in importance]
    values = [one["value"] for one in in_sight if one]
    if values:
        return f"{statistics.median(values):.2f}"
    return "few" if in_sight else "–"


def said(low: float, high: float, above: str, below: str) -> str:
    """Returns the word for an interval above 0, below it, or around it."""
    return above if low > 0 else below if high < 0 else "level"
