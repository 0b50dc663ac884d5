"""Drawings of where an agent looks, and the check that they mean something."""

import json
import os
import re
from pathlib import Path

import pytest

from agents.inspection.saliency.by_stage import NONE_YET
from agents.inspection.saliency.explain import explain_run
from agents.report.page import report_runs
from agents.training.run.folder import Run
from agents.training.settings.config import TrainConfig
from agents.training.train import train
from calm.errors import UsageError

SMALL = {
    "steps": 64,
    "n_envs": 2,
    "n_steps": 32,
    "eval_every": 64,
    "eval_episodes": 2,
    "features_dim": 16,
}


@pytest.mark.parametrize(
    "encoder",
    [
        "agent",
        "semantics",
        *(pytest.param(e, marks=[pytest.mark.slow]) for e in ("gaussian", "scan", "cnn")),
    ],
)
def test_a_run_is_drawn_and_checked(encoder: str, tmp_path: Path) -> None:
    config = TrainConfig(task="Room-5x5", judge="none", encoder=encoder, **SMALL)
    run = Run.create(tmp_path / "run", config)
    train(run)
    explanation = explain_run(run.folder, situations=2, observations=16, hide=3)
    json.dumps(explanation.to_dict())
    sources = [drawing.source for drawing in explanation.drawings]
    assert sources == ["mechanism"] * (encoder not in ("cnn", "semantics")) + ["occlusion"]
    for drawing in explanation.drawings:
        check = drawing.check
        assert check.observations == 16
        assert 1 < check.episodes <= 16
        assert check.more_low <= check.more <= check.more_high
        assert check.more == pytest.approx(check.kl_top - check.kl_random, abs=1e-6)
        assert set(drawing.by_kind) <= {"hero", "monsters", "walls", "doors", "floor", "stairs"}
        assert all(0 <= share <= 1 for share in drawing.by_kind.values())
    occluded = explanation.drawings[-1].check
    assert occluded.kl_top >= occluded.kl_random * 0.9  # its top cells are those that move it
    assert occluded.kl_top >= occluded.kl_bottom
    names = [f"{source}-{which}.png" for source in sources for which in ("0", "1", "mean")]
    drawings = sorted(p.name for p in (run.folder / "explain").glob("*.png"))
    assert drawings == names + ["steps.png"] * (encoder == "semantics")
    page = (run.folder / "explain.html").read_text("utf-8")
    report = report_runs([run], run.folder / "report.html").read_text("utf-8")
    for html in (page, report):
        assert html.count("data:image/png;base64,") == len(drawings)
        assert occluded.verdict in html
        assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html)
    assert len(page) < 300_000


def test_importance_is_followed_through_the_judges_subgoals(tmp_path: Path) -> None:
    config = TrainConfig(task="KeyRoom-S5", judge="rules", encoder="agent", **SMALL)
    run = Run.create(tmp_path / "run", config)
    train(run)
    explanation = explain_run(run.folder, situations=1, observations=160, hide=3)
    names = {subgoal.name for subgoal in config.described.subgoals}
    for values, drawing in zip(
        explanation.to_dict()["drawings"], explanation.drawings, strict=True
    ):
        assert drawing.by_subgoal
        assert {shift.subgoal for shift in drawing.by_subgoal} <= names
        assert "floor" in {shift.kind for shift in drawing.by_subgoal}
        for shift in values["by_subgoal"]:
            for side in ("before", "after"):
                if shift[side] is not None:
                    assert 0 <= shift[side]["low"] <= shift[side]["high"] <= 1
        assert drawing.by_stage[0].furthest == NONE_YET
        assert {stage.furthest for stage in drawing.by_stage[1:]} <= names
        assert sum(stage.observations for stage in drawing.by_stage) == 160
    json.dumps(explanation.to_dict())
    page = (run.folder / "explain.html").read_text("utf-8")
    assert "occlusion, by stage</h2>" in page
    assert f"<td>{NONE_YET}</td><td>" in page
    report = report_runs([run], run.folder / "report.html").read_text("utf-8")
    assert "looks: occlusion, by stage</h2>" in report
    assert f"importance when “{explanation.drawings[0].by_subgoal[0].subgoal}” was achieved" in page


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(task="Room-5x5", judge="none", **SMALL))
    run.folder.chmod(0o500)
    with pytest.raises(UsageError, match="make the run's folder writable"):
        explain_run(run.folder)


def test_a_page_in_the_way_is_told_before_the_work(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(task="Room-5x5", judge="none", **SMALL))
    (run.folder / "explain.html").mkdir()
    with pytest.raises(UsageError, match=r"explain\.html: it is a folder; make the run's folder"):
        explain_run(run.folder)


def test_a_run_that_is_not_drawn_has_no_drawings_in_its_report(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(task="Room-5x5", judge="none", **SMALL))
    report = report_runs([run], tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r">Where [^<]* looks<", report)


@pytest.mark.parametrize("encoder", ["agent", "gaussian"])  # every fourth cell, every second
def test_an_agent_that_sees_the_whole_level_is_drawn(encoder: str, tmp_path: Path) -> None:
    keys = ("glyphs", "inv_glyphs", "blstats")
    config = TrainConfig(task="Room-5x5", judge="none", encoder=encoder, keys=keys, **SMALL)
    run = Run.create(tmp_path / "run", config)
    train(run)
    explanation = explain_run(run.folder, situations=1, observations=16, hide=3)
    assert [drawing.source for drawing in explanation.drawings] == ["mechanism", "occlusion"]
    for drawing in explanation.drawings:
        assert {"hero", "floor"} <= set(drawing.by_kind)
        assert drawing.check.kl_top >= 0
    assert explanation.drawings[1].check.kl_top >= explanation.drawings[1].check.kl_bottom


def test_an_agent_without_a_map_is_refused(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", TrainConfig(task="Room-5x5", keys=("blstats",), **SMALL))
    with pytest.raises(UsageError, match="sees no map: none of its keys is glyphs_crop or glyphs"):
        explain_run(run.folder)


def test_an_agent_with_an_lstm_is_refused(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(task="Room-5x5", memory="lstm"))
    with pytest.raises(UsageError, match=r"calm explain can't show agents with memory=lstm"):
        explain_run(run.folder)


def test_hiding_all_of_a_crop_is_refused(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(task="Room-5x5", crop=5))
    with pytest.raises(UsageError, match="hiding 25 cells leaves nothing of a crop of 5 x 5"):
        explain_run(run.folder, hide=25)
