"""Running an evaluation from its plan to its tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calm.errors import UsageError
from calm.loopback import Loopback
from calm.records import LabelledTransition, Screen
from data.evaluation.evaluate import EvaluationTable
from data.evaluation.plan import EvaluationPlan
from data.evaluation.run import run_evaluation
from data.parquet import write_labels, write_transitions
from data.report.save import save_evaluation
from data.stored import StoredRows
from tests.support.key_and_door import (
    DOOR,
    KEY,
    TASK,
    key_and_door_rows,
    key_and_door_set,
    label,
)


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


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"limit": 7, "seed": 2},
        {"half": "tune"},
        {"tasks": (TASK.id,), "repeats": 2},
        {"sweep": ("goal",)},
        {"against": ("engine", "people"), "min_people": 1},
        {"against": ("people",), "min_people": 1},
    ],
)
def test_rows_that_are_not_in_memory_give_the_same_files_to_the_byte(
    more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks, mixed; a table, a page with screens, and every answer."""
    other = replace(TASK, id="MiniHack-KeyRoom-S15-v0")
    screen = Screen("@.", "77")
    rows = [
        LabelledTransition(
            replace(row.transition, task=(TASK, other)[i % 3 == 0].id), row.truth,
            row.provenance, screen, screen,
        )
        for i, row in enumerate(key_and_door_rows())
    ]  # fmt: skip
    path = tmp_path / "t.parquet"
    write_transitions(path, rows, {TASK.id: TASK, other.id: other})
    if "against" in more:
        labels = [label(row, "ann", KEY.name) for row in rows[3:9]]
        write_labels(tmp_path / "ann.parquet", labels)
        more = more | {"labels": (tmp_path / "ann.parquet",)}
    plan = EvaluationPlan(str(path), ("always-no", "random", "always-yes"), **more)
    folders = [tmp_path / "whole", tmp_path / "streamed"]
    whole = run_evaluation(plan)
    save_evaluation(folders[0], whole)
    for name, size in (
        ("stored.IN_MEMORY", 0),
        ("stored.BLOCK", 5),
        ("parquet_file.BATCH_ROWS", 5),
    ):
        monkeypatch.setattr(f"data.{name}", size)
    streamed = run_evaluation(plan)
    save_evaluation(folders[1], streamed)
    assert isinstance(streamed[0].rows, StoredRows)
    files = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert files[0] == files[1]
    for name in files[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    for a, b in zip(whole, streamed, strict=True):
        assert list(a.judged) == list(b.judged)
        assert a.is_papers_design == b.is_papers_design


def test_a_models_answers_cost_the_same_however_the_rows_are_read(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = {KEY.name: ("key entered",), DOOR.name: ("door opened",)}
    tables = []
    for in_memory in (100, 0):
        monkeypatch.setattr("data.stored.IN_MEMORY", in_memory)
        monkeypatch.setattr("data.stored.BLOCK", 5)
        with Loopback(rules, logprobs=True) as server:
            plan = EvaluationPlan(
                data,
                ("openai:m",),
                fold=True,
                store=tmp_path / f"{in_memory}.sqlite",
                base_url=server.url,
                options={"logprobs": True},
            )
            for _ in range(2):  # asked, and from the store
                tables += run_evaluation(plan)
            assert set(server.answered.values()) == {1}
            assert server.requests == 24

    def untimed(table: EvaluationTable) -> dict[str, Any]:
        value = table.to_dict()
        for score in value["scores"]:
            for name in ("seconds", "seconds_per_transition"):
                assert score["usage"].pop(name) > 0
        return value

    values = [untimed(table) for table in tables]
    assert values[:2] == values[2:]
    assert values[0]["scores"][0]["usage"]["requests"] == 24
