"""Sets, answers and agents go to a hub and come back, by the commands."""

import json
from pathlib import Path

import pytest

from agents import load_agent
from agents.sharing.hub import kind_of, pull_package, push_source
from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.store.store import Store
from data.dataset import load
from tests.data.sharing.test_packages import asked
from tests.support.command_line import calm, run_calm
from tests.support.key_and_door import key_and_door_set
from tests.support.loopback_hub import LoopbackHub


def test_an_agent_is_pushed_pulled_and_plays(
    run: Run, empty_hub: LoopbackHub, tmp_path: Path
) -> None:
    result = run_calm("hub", "push", run.folder, "me/agent", "--licence", "mit", "--json")
    assert result.exit_code == 0, result.output
    pushed = json.loads(result.stdout)
    assert (pushed["kind"], pushed["name"]) == ("agent", run.config.name)
    repository = empty_hub.repositories["me/agent"]
    assert repository.private
    assert not any(b"checkpoint" in name.encode() for name in repository.files)
    out = tmp_path / "pulled"
    text = calm("hub", "pull", "me/agent", "--out", out)
    assert f"calm replay {out}" in text
    with load_agent(run.folder, seed=1) as ours, load_agent(out, seed=1) as theirs:
        assert ours.success(2) == theirs.success(2)
    summary = json.loads(calm("replay", out, "--episodes", 1, "--json"))
    assert len(summary["episodes"]) == 1
    with pytest.raises(UsageError, match="can't be trained on"):
        calm("train", "--resume", out)


def test_a_set_is_pushed_and_pulled(empty_hub: LoopbackHub, tmp_path: Path) -> None:
    source = key_and_door_set(tmp_path / "play.parquet")
    push_source(str(source), "me/play", public=True)
    assert not empty_hub.repositories["datasets/me/play"].private
    package, folder = pull_package("me/play", tmp_path / "here", kind="set")
    assert package.kind.name == "set"
    assert load(folder).part("all").rows == load(source).part().rows
    about = json.loads(calm("hub", "pull", "me/play", "--out", tmp_path / "there", "--json"))
    assert about["about"]["transitions"] == 24


def test_answers_are_pushed_and_replayed(empty_hub: LoopbackHub, tmp_path: Path) -> None:
    address = asked(tmp_path / "mine.sqlite")
    done = run_calm("hub", "push", tmp_path / "mine.sqlite", "me/answers")
    assert done.exit_code == 0, done.output
    assert "5 answers with the 5 texts that were asked about, in full" in done.stderr
    assert f"the addresses that were asked: {address}" in done.stderr
    names = empty_hub.repositories["datasets/me/answers"].files.keys()
    assert names == {"README.md", "calm.json", "manifest.json", "answers.parquet"}
    _, folder = pull_package("me/answers", tmp_path / "here")
    calm("store", "import", folder, "--store", tmp_path / "b.sqlite")
    with Store(tmp_path / "b.sqlite") as store:
        assert store.models() == ["m"]


def test_a_hostile_agent_is_not_put_in_place(
    run: Run, empty_hub: LoopbackHub, tmp_path: Path
) -> None:
    push_source(str(run.folder), "me/agent")
    files = empty_hub.repositories["me/agent"].files
    files["config.yaml"] = files["config.yaml"].replace(b"encoder: cnn", b"encoder: !!python/x")
    with pytest.raises(UsageError):
        pull_package("me/agent", tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_what_a_source_is(tmp_path: Path) -> None:
    Store(tmp_path / "s").close()
    (tmp_path / "config.yaml").write_text("")
    assert kind_of(str(tmp_path / "s")) == "store"
    assert kind_of(str(tmp_path)) == "agent"
    assert kind_of("keyroom-v1") == "set"
    with pytest.raises(UsageError, match="--half is of an agent's weights"):
        push_source("keyroom-v1", "me/set", half=True)
