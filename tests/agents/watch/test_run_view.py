"""A run is shown as its folder has it: trained now, stopped or done, with what it earns."""

from pathlib import Path

import pytest

from agents.training.run.folder import Run
from agents.training.run.lock import owned
from agents.training.run.status import TrainingStatus, write_status
from agents.watch.run_view import RunView
from calm.records import Judgement, Verdict
from tests.support.measured_runs import rows, run
from tests.support.watched import EVIL

EARNED = {"return_env": 0.5, "return_credit": 0.25, "return_bonus": 0.0, "return_shaped": 0.57}
ASKED = {"asked": 7, "judged": 90, "unreadable": 1, "pending": 0, "requests": 7, "cost": None}
SUBGOALS = [
    {"source": "truth", "subgoal": "key", "share": 0.5, "repeats": 0.1, "false": None},
    {"source": "judge", "subgoal": "key", "share": 0.4, "repeats": 0.2, "false": 0.3},
]


def measured(folder: Path) -> Run:
    one = run(folder, 3, 0.5)
    one.write_metrics([rows(0.5)[0] | EARNED | ASKED | {"subgoals": SUBGOALS}])
    return one


def test_its_figures_are_those_of_its_last_evaluation(tmp_path: Path) -> None:
    look = RunView(measured(tmp_path / "a").folder).look()
    assert (look["title"], look["seed"], look["steps"], look["problem"]) == ("a", 3, 1000, "")
    assert look["success"] == [0.5, 0.4, 0.6]
    assert look["earned"] == [0.5, 0.25, 0.0, 0.57]
    assert (look["counts"]["asked"], look["counts"]["unreadable"]) == (7, 1)
    assert look["subgoals"] == [
        {
            "name": "key", "truth": 0.5, "truth_repeats": 0.1,
            "judge": 0.4, "judge_repeats": 0.2, "false": 0.3,
        }
    ]  # fmt: skip


def test_whether_it_is_trained_is_seen_without_a_lock(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 0, 0.5)
    view = RunView(one.folder)
    assert view.look()["state"] == "stopped"
    with owned(one.folder):
        write_status(
            one.folder, TrainingStatus(2000, 9000, 50.0, 0.5, 8, 1, 31.0, 12, 45, by_student=6)
        )
        look = view.look()
        assert (look["state"], look["steps"], look["total"]) == ("running", 2000, 9000)
        assert (look["questions"], look["pending"], look["waiting"]) == (8, 1, [31.0, 12, 45])
        assert look["by_student"] == 6
    one.lengthen(1000)
    assert RunView(one.folder).look()["state"] == "done"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.yaml").write_text((one.folder / "config.yaml").read_text())
    assert RunView(tmp_path / "b").look()["state"] == "not begun"


def test_metrics_are_read_again_when_there_are_more(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 0, 0.5)
    view = RunView(one.folder)
    assert view.look()["steps"] == 1000
    one.write_metrics(rows(0.5, 0.75))
    assert (view.look()["steps"], view.look()["success"][0]) == (2000, 0.75)


def test_a_folder_that_cannot_be_read_is_told_and_looked_at_again(tmp_path: Path) -> None:
    one = run(tmp_path / "a", 0, 0.5)
    whole = one.metrics_path.read_bytes()
    one.metrics_path.write_bytes(b"PAR1")
    view = RunView(one.folder)
    assert "metrics.parquet can't be read" in view.look()["problem"]
    one.metrics_path.write_bytes(whole)
    assert view.look()["problem"] == ""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.yaml").write_text(f"task: '{EVIL}'")
    problem = RunView(tmp_path / "b").look()["problem"]
    assert "can't read the config" in problem
    assert "\x1b" not in problem


def test_more_of_it_are_its_last_texts_and_what_to_type(tmp_path: Path) -> None:
    one = measured(tmp_path / "a")
    view = RunView(one.folder)
    view.look()
    assert view.details()["texts"] == 0
    one.write_judged({f"Step {i}.": ["key"] if i else None for i in range(12)} | {EVIL: []})
    one.write_words({EVIL: Judgement(Verdict.OK, {"key": False}, None, f"No. {EVIL}")})
    details = view.details()
    assert (details["texts"], details["texts_unreadable"]) == (13, 1)
    assert [len(details["judged"]), details["judged"][1]["text"]] == [10, "Step 11."]
    assert "\x1b" not in details["judged"][0]["text"] + details["judged"][0]["raw"]
    assert details["commands"]["resume"].endswith(f"train --resume {one.folder}")
    assert details["commands"]["report"].endswith(f"report {one.folder}")
    (one.folder / "judged.json").write_text("{")
    assert "judged.json can't be read" in view.details()["problem"]


@pytest.mark.parametrize(
    ("folder", "title"), [("runs/a", "a"), ("out/cells/T/rules/seed0", "T/rules/seed0")]
)
def test_its_title_is_its_folders_name_or_its_cells(
    folder: str, title: str, tmp_path: Path
) -> None:
    assert RunView(tmp_path / folder).title == title
