"""The demo end to end with a language model on loopback, real processes, and an interruption."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from agents.demo.arms import DemoPlan
from agents.demo.run import _moved_aside, prompt_section, run_demo
from calm.errors import EndpointError, UsageError
from calm.loopback import Loopback
from calm.store.store import Store
from envs.events.judge_rules import RULES
from envs.tasks import task
from tests.support.owner import owning_process
from tests.support.processes import python
from tests.support.questions_owner import owner_of

DISCOVERED = [
    (name, next(s.definition for s in task("KeyRoom-S5").subgoals if s.name == name))
    for name in ("pick up the key", "open the locked door", "reach the staircase down")
]
PLAN = DemoPlan(
    judge="openai:any-model",
    steps=256,
    episodes=2,
    settings={
        "n_envs": 4,
        "n_steps": 64,
        "eval_every": 256,
        "eval_episodes": 4,
        "features_dim": 16,
    },
)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Console(quiet=True)


def test_the_demo_with_a_language_model(tmp_path: Path, quiet: Console) -> None:
    out = tmp_path / "demo"
    with Loopback(rules=RULES, subgoals=DISCOVERED) as server:
        outcome = run_demo(PLAN, out, base_url=server.url, fresh=False, console=quiet)
        # Subgoals once, and each distinct event once, by evaluation and training together.
        assert set(server.answered.values()) == {1}
        assert server.requests == len(server.answered)
        assert outcome.asked + 1 == server.requests
    assert [a["label"] for a in outcome.agents][-1] == "shaped by openai:any-model"
    assert all(a["steps"] == 256 and a["episodes"] == 4 for a in outcome.agents)
    scores = {s["judge"].split(":")[0]: s["metrics"] for s in outcome.evaluation["scores"]}
    assert set(scores) == {"openai", "always-yes", "always-no", "random"}
    assert scores["openai"]["precision"]["value"] == 1.0  # the rules are right about these
    assert scores["always-no"]["recall"]["value"] == 0.0
    # It named three of the five given subgoals, and is scored on those: what it never named was
    # never asked about.
    assert scores["openai"]["recall"]["value"] == 1.0
    of = outcome.evaluation["matches"][task("KeyRoom-S5").id]
    assert list(of["of"].values()) == [name for name, _ in DISCOVERED]
    assert len(of["unmatched_given"]) == len(task("KeyRoom-S5").subgoals) - 3
    assert list(outcome.evaluation["scores"][0]["subgoals"]) == [name for name, _ in DISCOVERED]
    assert "named 3 subgoals, 3 of them with a known truth" in outcome.lines()[0]
    assert len(outcome.lines()) <= 11
    report = (out / "report.html").read_text("utf-8")
    for text in (
        "<svg",
        "pick up the key",
        "openai:any-model",
        "price unknown",
        "n_envs",
        "Never named",
    ):
        assert text in report
    stored = json.loads((out / "outcome.json").read_text("utf-8"))
    assert stored["asked"] == outcome.asked
    assert stored["plan"]["steps"] == 256
    assert {"commit", "machine", "torch", "started"} <= set(stored["provenance"])
    with Store(out / "store.sqlite") as store:
        assert store.subgoal_sets(task("KeyRoom-S5").id)

    # A finished demo is never overwritten: it is moved aside.
    before = {p.name for p in tmp_path.iterdir()}
    with pytest.raises(EndpointError):
        run_demo(PLAN, out, base_url="http://127.0.0.1:9/v1", fresh=False, console=quiet)
    (aside,) = {p.name for p in tmp_path.iterdir()} - before
    assert (tmp_path / aside / "report.html").exists()


def test_a_question_is_shown_as_text() -> None:
    section = prompt_section("<line>\nThe key <b>.\n</line>")
    assert section.folded
    assert "&lt;line&gt;\nThe key &lt;b&gt;." in str(section.figure)


def test_a_demo_of_before_there_were_forms_is_resumed(tmp_path: Path) -> None:
    plan = asdict(DemoPlan())
    del plan["form"], plan["thresholds"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    console = Console(record=True, quiet=False, file=io.StringIO())
    assert not _moved_aside(DemoPlan(), tmp_path, False, console)
    assert "Resuming" in console.export_text()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, quiet: Console) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="holds something other than a demo"):
        run_demo(DemoPlan(), tmp_path, base_url=None, fresh=False, console=quiet)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_damaged_plan_is_named(tmp_path: Path, quiet: Console) -> None:
    (tmp_path / "plan.json").write_text("")
    with pytest.raises(UsageError, match=r"plan\.json can't be read"):
        run_demo(DemoPlan(), tmp_path, base_url=None, fresh=True, console=quiet)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"judge": "rulez"}, "unknown judge"),
        ({"settings": {"crops": 9}}, "unknown setting 'crops'"),
        ({"settings": {"window": 8}}, "window would change nothing in any of these runs"),
        ({"form": "lines"}, "rules is none"),
    ],
)
def test_what_can_not_be_used_is_said_before_anything_is_done(
    wrong: dict, message: str, tmp_path: Path, quiet: Console
) -> None:
    with pytest.raises(UsageError, match=message):
        run_demo(DemoPlan(**wrong), tmp_path / "demo", base_url=None, fresh=False, console=quiet)
    assert not (tmp_path / "demo").exists()


def test_two_demos_in_one_folder_are_one_too_many(tmp_path: Path, quiet: Console) -> None:
    plan = DemoPlan(steps=512, episodes=2)
    with owning_process(tmp_path), pytest.raises(UsageError, match="in use by process"):
        run_demo(plan, tmp_path, base_url=None, fresh=True, console=quiet)


@pytest.mark.slow  # that training asks through an owner: tests/whole/test_owner_inside_training.py
def test_the_demo_asks_through_the_owner_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = [
        word for name, value in PLAN.settings.items() for word in ("--set", f"{name}={value}")
    ]
    command = ["-m", "calm", "demo", "--judge", PLAN.judge, "--steps", PLAN.steps, "--episodes", 2]
    with Loopback(rules=RULES, subgoals=DISCOVERED) as server:
        with (
            owner_of(server, tmp_path / "owners.sqlite", monkeypatch),
            python(*command, "--out", tmp_path / "demo", *settings) as demo,
        ):
            assert demo.wait(300) == 0
        assert set(server.answered.values()) == {1}
        asked = json.loads((tmp_path / "demo" / "outcome.json").read_text("utf-8"))["asked"]
        assert asked + 1 == server.requests
    with Store(tmp_path / "owners.sqlite", readonly=True) as store:
        assert store.database.value("SELECT count(*) FROM answers") == server.requests
