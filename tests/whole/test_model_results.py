"""The figures of models that judged are reproduced from their committed answers, with no model."""

import json
from pathlib import Path

import pytest

from agents.study.plans.load import load_plan
from calm.judges.stored import ReplayJudge
from calm.judges.thresholds import read_thresholds
from calm.local.registry import MODELS
from calm.store.store import Store
from data.dataset import load
from data.evaluation.model_cells import measure_cell, opened_answers, read_cells
from data.report.model_page import NUMBERS
from envs.tasks import task
from tests.support.command_line import calm

RESULTS = Path(__file__).parents[2] / "data" / "results" / "models"
MODEL = "local:qwen2.5-coder-1.5b@cc324af070c2"


def test_cells_are_replayed_to_the_figures_of_the_committed_table() -> None:
    plan = read_cells(RESULTS)
    numbers = json.loads((RESULTS / NUMBERS).read_text())["cells"]
    model = next(m for m in plan.models if m.model == MODEL)
    with opened_answers(RESULTS) as store:
        for form in ("lines", "booleans"):
            wanted = {"model": MODEL, "part": "keyroom-v1 balanced", "form": form}
            committed = next(n for n in numbers if wanted.items() <= n.items() and "fold" not in n)
            cell = next(c for c in plan.cells if c.part == wanted["part"] and c.form == form)
            score = measure_cell(RESULTS, store, model, cell).score
            assert score is not None
            assert score.n == committed["score"]["n"] == 256
            for name, estimate in committed["score"]["metrics"].items():
                assert score.metrics[name].value == pytest.approx(estimate["value"], abs=1e-4)


def test_the_commands_of_the_page_give_its_figures(tmp_path: Path) -> None:
    store = tmp_path / "models.sqlite"
    calm("store", "import", RESULTS, "--store", store)
    printed = calm(
        "evaluate", "--data", "keyroom-v1", "--part", "balanced", "--form", "lines",
        "--judge", f"replay:{MODEL}", "--store", store, "--json",
    )  # fmt: skip
    (table,) = json.loads(printed)["tables"]
    (score,) = table["scores"]
    assert table["transitions"] == 256
    assert score["metrics"]["mcc"]["value"] == 1.0


def test_the_packaged_best_form_is_what_was_learned_and_what_the_study_trained_with() -> None:
    best = next(m for m in MODELS if m.name == "qwen2.5-coder-1.5b").best
    assert best is not None
    arm = load_plan("keyroom").arms["model"].settings
    assert (arm["form"], arm["thresholds"]) == (best.form, dict(best.thresholds))
    # On the texts of KeyRoom-S5 they cut where the learned ones do.
    learned = read_thresholds(str(RESULTS / "qwen2.5-coder-1.5b-lines.json"))
    described = task("KeyRoom-S5")
    rows = [
        r for r in load("keyroom-v1").part("balanced").rows if r.transition.task == described.id
    ]
    assert len(rows) > 100
    with opened_answers(RESULTS) as path, Store.existing(path) as store:
        cut = [
            ReplayJudge(MODEL, store=store, form=best.form, thresholds=thresholds).judge(
                described, described.subgoals, [row.transition for row in rows]
            )
            for thresholds in (learned, best.thresholds)
        ]
    assert [j.achieved for j in cut[0]] == [j.achieved for j in cut[1]]
