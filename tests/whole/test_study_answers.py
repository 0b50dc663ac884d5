"""The committed answers of the study's language model train its agents again, with no model."""

from pathlib import Path

import pytest

from agents.study.plan import Cell
from agents.study.results import read_results
from agents.training.run.folder import Run
from agents.training.settings.config import make_config
from agents.training.train import train
from calm.store.store import Store
from data.store_export import import_store

RESULTS = Path(__file__).parents[2] / "agents" / "results" / "keyroom"
CELL = Cell("KeyRoom-S5", "model", 1)


@pytest.mark.slow
def test_an_agent_paid_by_stored_answers_is_the_studys(tmp_path: Path) -> None:
    result = read_results(RESULTS)[CELL]
    untrained, first = result.rows[:2]
    judge = "replay:local:qwen2.5-coder-1.5b@cc324af070c2"
    config = make_config({**result.config, "judge": judge, "steps": first["steps"]})
    with Store(tmp_path / "answers.sqlite") as store:
        import_store(RESULTS / "answers", store)
        rows = train(Run.create(tmp_path / "run", config), store=store)
    assert rows[-1]["unreadable"] == 0
    for name in ("steps", "success", "return_shaped", "judged"):
        assert [row.get(name) for row in rows] == [untrained.get(name), first.get(name)], name
