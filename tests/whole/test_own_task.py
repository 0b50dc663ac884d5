"""One task from play to a trained agent: one of one's own, from its file, and one by MiniHack's id.

Collected, its subgoals named by a model, annotated, and trained on, all by the command line.
"""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.loopback import Loopback
from calm.loopback.answers import prompt_of
from data.parquet import read_transitions
from tests.support.command_line import calm
from tests.support.own_task import write_own_task

NAMED = [("see the stairs", "They come into view."), ("reach them", "The hero stands on them.")]
PRAYER = "goal: Say a prayer.\nenvironment: MiniHack-Pray-v0\n"
"""A task that has no given subgoals."""
RULES = {"see the stairs": ["staircase down came into view"], "reach them": ["the goal"]}
TINY = ["n_envs=2", "n_steps=32", "eval_every=1000", "eval_episodes=2", "features_dim=16"]


def tiny(*arguments: object) -> list[object]:
    settings = [part for pair in TINY for part in ("--set", pair)]
    return ["train", *arguments, "--steps", 64, "--json", *settings]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(True, id="own"),
        pytest.param(False, id="registered", marks=[pytest.mark.slow]),
    ],
)
def test_from_play_to_a_trained_agent(own: bool, tmp_path: Path) -> None:
    task = str(write_own_task(tmp_path) if own else write_own_task(tmp_path, PRAYER))
    name = "Cellar-v0" if own else "MiniHack-Pray-v0"
    summary = json.loads(calm("collect", task, "--out", "rows.parquet", "--episodes", 1, "--json"))
    with_truth = {"pick up an object", "step onto the apple"} if own else set()
    assert set(summary["achieved"]) == with_truth
    if own:
        assert summary["achieved"]["pick up an object"] is not None
        assert summary["achieved"]["step onto the apple"] is None  # no truth, and said so
    (known,) = read_transitions("rows.parquet").tasks.values()
    assert (known.id, "pick up" in known.actions) == (name, True)

    with Loopback(rules=RULES, subgoals=NAMED) as server:
        model = ["--judge", "openai:m", "--base-url", server.url]
        calm("decompose", task, *model, "--out", "subgoals.yaml")
        prompt = prompt_of(server.bodies[0])
        assert f"actions: {', '.join(known.actions)}" in prompt
        assert known.goal in prompt
        calm("annotate", "--data", "rows.parquet", *model, "--subgoals", "subgoals.yaml",
             "--out", "answers.parquet")  # fmt: skip
        answers = pq.read_table("answers.parquet")["achieved"].to_pylist()
        assert len(answers) == summary["transitions"]
        assert {n for row in answers for n, _ in row} == {n for n, _ in NAMED}

        (trained,) = json.loads(calm(*tiny(task, *model)))
        run = Run.open(Path(trained["run"]))
        if own:
            Path(task).unlink()  # the run holds all it needs
            assert {r["subgoal"] for r in trained["subgoals"] if r["source"] == "truth"} == {
                "pick up an object"
            }
        config = yaml.safe_load((run.folder / "config.yaml").read_text())
        assert config["task"] == name
        assert run.config.described.actions == known.actions
        stored = run.subgoals()
        assert stored is not None
        if own:
            assert stored == known.subgoals
        else:
            assert [(s.name, s.definition) for s in stored] == NAMED
        assert run.judged()
        calm("train", "--resume", run.folder, "--store", "calm.sqlite", "--base-url", server.url)


def test_what_the_truth_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    task = str(write_own_task(tmp_path))
    with pytest.raises(UsageError, match="subgoal with a truth 'step onto the apple'"):
        calm(*tiny(task, "--judge", "truth"))
    with pytest.raises(UsageError, match=r"no given subgoals"):
        calm(*tiny(str(write_own_task(tmp_path, PRAYER)), "--judge", "rules"))
    assert not Path("runs").exists()
