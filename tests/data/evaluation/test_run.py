"""Running an evaluation from its plan to its tables."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.loopback import Loopback
from data.evaluation.plan import EvaluationPlan
from data.evaluation.run import run_evaluation
from tests.support.key_and_door import DOOR, KEY, key_and_door_set


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(key_and_door_set(tmp_path / "t.parquet"))


def test_a_table_has_a_line_for_each_judge_description_and_wording(data: str) -> None:
    plan = EvaluationPlan(
        data, ("always-yes", "always-no"), ("screen", "events"), sweep=("goal",), limit=6
    )
    (table,) = run_evaluation(plan)
    assert len(table.rows) == 6
    lines = [(s.judge, s.mode, s.variant) for s in table.scores]
    assert lines == [
        (judge, mode, variant)
        for judge in ("always-yes", "always-no")
        for mode in ("screen", "events")
        for variant in ("", "goal=win")
    ]
    assert table.name == "t"
    assert table.drawn == "drawn from 24 with seed 0, each class by its share"


def test_repeats_of_a_judge_give_a_flip_rate(data: str) -> None:
    (table,) = run_evaluation(EvaluationPlan(data, ("always-yes", "random"), repeats=3))
    still, random = table.scores
    assert (still.repeats, still.flip_rate) == (3, 0)
    assert 0.2 < random.flip_rate < 0.8


def test_a_store_that_is_not_there_is_not_made(data: str, tmp_path: Path) -> None:
    store = tmp_path / "none.sqlite"
    with pytest.raises(UsageError, match=r"there is no store at .* for replay:m to read"):
        run_evaluation(EvaluationPlan(data, ("replay:m",), store=store))
    assert not store.exists()


def test_matches_need_discovered_subgoals(data: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{}")
    plan = EvaluationPlan(data, ("always-no",), overrule=tmp_path / "m.json")
    with pytest.raises(UsageError, match="give both"):
        run_evaluation(plan)


def test_only_the_named_subgoals_are_asked_about(data: str) -> None:
    (table,) = run_evaluation(EvaluationPlan(data, ("always-yes",), subgoals=DOOR.name))
    assert table.reference.names == (DOOR.name,)
    assert KEY.name not in table.scores[0].subgoals


def test_forms_that_a_description_does_not_fit_are_left_out_of_a_sweep(tmp_path: Path) -> None:
    with Loopback(answer=lambda body: "no") as server:
        plan = EvaluationPlan(
            "keyroom-v1",
            ("openai:m",),
            ("crop", "events"),
            parts=("balanced",),
            sweep=("form",),
            limit=1,
            store=tmp_path / "a.sqlite",
            base_url=server.url,
        )
        (table,) = run_evaluation(plan)
    asked = {(s.mode, s.variant) for s in table.scores}
    assert ("events", "form=lines") in asked
    assert ("crop", "form=statements") in asked
    assert ("crop", "form=lines") not in asked
