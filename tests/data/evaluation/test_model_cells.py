"""What models answered is measured by replay alone, and written as a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calm.decompose import decompose
from calm.errors import CalmError, UsageError
from calm.loopback import Loopback
from calm.records import Subgoal
from calm.store.store import Store
from data.dataset import load
from data.evaluation.model_cells import measure_cells, mistakes, read_cells
from data.report.model_page import write_model_page
from data.sampling import draw
from data.store_export import export_store
from tests.support.loopback_judge import judge_of

CELLS = """
models:
  - {name: Small, model: m}
  - {name: Other, model: never-asked}
cells:
  - {part: keyroom-v1 balanced, form: lines, limit: 12, examples: true}
  - {part: keyroom-v1 balanced, form: booleans}
  - {part: keyroom-v1 balanced, form: booleans, subgoals: discovered}
"""


def key_alone(body: Mapping[str, Any]) -> str:
    """A model that knows the key and takes no door for open."""
    prompt = body["messages"][0]["content"]
    line = prompt.rsplit("<line>\n", 1)[1].split("\n</line>")[0]
    return "yes" if "that the key entered" in prompt and "key entered" in line else "no"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    part = load("keyroom-v1").part("balanced")
    with Loopback(answer=key_alone) as server, Store(tmp_path / "a.sqlite") as store:
        judge = judge_of(server, form="lines", store=store)
        for id, task in part.tasks.items():
            rows = [r.transition for r in draw(part, 12) if r.transition.task == id]
            judge.judge(task, task.subgoals, rows)
        export_store(store, folder)
    (folder / "cells.yaml").write_text(CELLS)
    return folder


def test_cells_are_replayed_and_what_was_never_asked_is_missing(folder: Path) -> None:
    measured = measure_cells(folder)
    assert [(m.model.name, m.cell.form, m.score is not None) for m in measured] == [
        ("Small", "lines", True),
        ("Other", "lines", False),
        ("Small", "booleans", False),
        ("Other", "booleans", False),
        ("Small", "booleans", False),
        ("Other", "booleans", False),
    ]
    table = measured[0].table
    assert table is not None
    recalls = {name: of["recall"].value for name, of in table.scores[0].subgoals.items()}
    assert recalls == {"pick up the key": 1.0, "open the locked door": 0.0}
    wrong = mistakes(table)
    assert {(m.subgoal, m.said_yes) for m in wrong} == {("open the locked door", False)}
    assert sum(m.rows for m in wrong) == 4  # of twelve rows in three even classes
    assert all("A closed door is open now." in m.text for m in wrong)


def test_the_page_holds_the_papers_rows_ours_mistakes_and_what_is_missing(folder: Path) -> None:
    write_model_page(folder, measure_cells(folder))
    page = (folder / "table.md").read_text()
    assert page.count("| Meta-Llama-3-70B-Instruct") >= 4
    assert "| **Small** | events, given | lines | 0.67 | 0.67 | 1.00 | 0.50 | 12 |" in page
    assert "no to *open the locked door*" in page
    assert "- Other: keyroom-v1 balanced, events, given, lines;" in page
    cells = json.loads((folder / "table.json").read_text())["cells"]
    assert [cell["score"] is None for cell in cells] == [False, *[True] * 5]


def test_a_plan_that_says_something_else_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't read the plan in "):
        read_cells(tmp_path)
    (tmp_path / "cells.yaml").write_text("models: []\ncells:\n  - {part: keyroom, form: lines}\n")
    with pytest.raises(UsageError, match=r"cells\.0\.part"):
        read_cells(tmp_path)


OWN = """
task: MiniHack-KeyRoom-S5-v0
subgoals:
  - {name: pick up the key, definition: The key is taken., statements: [the key entered]}
  - {name: The hero, definition: The hero is the hero., statements: [the hero is there]}
"""


def test_a_model_that_named_subgoals_of_one_task_alone_has_its_words_of_the_other(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "models"
    tasks = load("keyroom-v1").part("balanced").tasks
    small, large = tasks["MiniHack-KeyRoom-S5-v0"], tasks["MiniHack-KeyRoom-S15-v0"]
    rows = [r for r in load("keyroom-v1").part("balanced").rows if r.transition.task == small.id]
    own = [Subgoal("pick up the key", "The key is taken.", ("the key entered",))]
    own.append(Subgoal("The hero", "The hero is the hero.", ("the hero is there",)))

    def answer(body: Mapping[str, Any]) -> str:
        content = body["messages"][-1]["content"]
        return key_alone(body) if "<line>" in content else "`go` east,\n| <b>east</b>, \x1b[31meast"

    with Loopback(answer=answer) as server, Store(tmp_path / "a.sqlite") as store:
        judge = judge_of(server, form="lines", store=store)
        judge.judge(small, own, [r.transition for r in rows[:9]])
        with pytest.raises(CalmError, match="named no usable subgoals"):
            decompose(large, judge, store)
        export_store(store, folder)
    (folder / "own.yaml").write_text(OWN)
    (folder / "cells.yaml").write_text(
        "models:\n  - {name: Small, model: m, discovered: {KeyRoom-S5: own.yaml}}\n"
        "  - {name: None, model: m}\n"
        "cells:\n  - {part: keyroom-v1 balanced, form: lines, subgoals: discovered}\n"
    )
    measured = measure_cells(folder)
    assert [(m.model.name, m.cell.tasks, m.answered) for m in measured] == [
        ("Small", ("KeyRoom-S15",), True),
        ("Small", ("KeyRoom-S5",), True),
        ("None", ("KeyRoom-S15",), True),
        ("None", ("KeyRoom-S5",), False),
    ]
    assert [m.score is not None for m in measured] == [False, True, False, False]
    write_model_page(folder, measured)
    page = (folder / "table.md").read_text()
    assert (
        "| Small | events, discovered, KeyRoom-S15 | lines | named no subgoals |" + " – |" * 7
    ) in page
    (line,) = [line for line in page.splitlines() if line.startswith(f"- Small, {large.id}: ")]
    assert line.startswith(f"- Small, {large.id}: none of 3 answers can be used; the last (`the")
    assert line.endswith("): `'go' east, / | <b>east</b>, east`")
    (missing,) = page.split("## Not asked\n\n")[1].splitlines()
    assert missing == "- None: keyroom-v1 balanced, events, discovered, KeyRoom-S5, lines"
    cells = json.loads((folder / "table.json").read_text())["cells"]
    assert cells[0]["no_subgoals"][large.id]["answers"] == 3
    assert "no_subgoals" not in cells[1]
