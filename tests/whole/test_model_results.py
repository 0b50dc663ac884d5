"""The figures of models that judged are reproduced from their committed answers, with no model."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import calm

RESULTS = Path(__file__).parents[2] / "data" / "results" / "models"
MODEL = "replay:local:qwen2.5-coder-1.5b@cc324af070c2"


@pytest.mark.parametrize(
    ("half", "transitions", "mcc"), [("tune", 381, 0.91), ("report", 304, 0.59)]
)
def test_the_page_of_models_is_reproduced_by_replay(
    tmp_path: Path, half: str, transitions: int, mcc: float
) -> None:
    store = tmp_path / "models.sqlite"
    calm("store", "import", RESULTS, "--store", store)
    printed = calm(
        "evaluate", "--data", "keyroom-v1", "--part", "natural", "--task", "KeyRoom-S5",
        "--judge", MODEL, "--form", "statements", "--half", half, "--answered",
        "--thresholds", RESULTS / "qwen2.5-coder-1.5b-statements.json",
        "--store", store, "--json",
    )  # fmt: skip
    (table,) = json.loads(printed)["tables"]
    (score,) = table["scores"]
    assert table["transitions"] == transitions
    assert score["metrics"]["mcc_subgoals"]["value"] == pytest.approx(mcc, abs=0.006)
