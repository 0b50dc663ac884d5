"""An agent is loaded by a folder or a name, plays, and is the one that was trained."""

from pathlib import Path

import numpy as np
import pytest

from agents import load_agent
from agents.inspection.agent import agent_folder, pretrained_agents
from agents.sharing.agent_package import write_agent_package
from agents.training.run.folder import Run
from agents.training.run.policy_file import write_policy
from calm.errors import UsageError
from calm.files import sha256_of
from calm.hub.package import FILE, read_description
from tests.support.command_line import calm
from tests.support.processes import line, python
from tests.support.small_run import small_run


def test_a_policy_alone_plays_as_its_checkpoint_does(run: Run) -> None:
    with load_agent(run.folder, 2, seed=3) as agent:
        assert agent.steps == 64
        before = agent.success(4)
        observation = agent.env.reset()
        actions = agent.act(observation, greedy=True)
    weights, steps = run.load_policy()
    write_policy(run.policy_path, weights, steps)
    run.checkpoint_path.unlink()
    with load_agent(run.folder, 2, seed=3) as agent:
        assert agent.success(4) == before
        assert np.array_equal(agent.act(agent.env.reset(), greedy=True), actions)
        with pytest.raises(UsageError, match="3 episodes don't divide among 2"):
            agent.success(3)
    with pytest.raises(UsageError, match=r"its policy can play, and .* can't be trained on"):
        run.load_checkpoint()


def test_an_agent_with_an_lstm_remembers_from_call_to_call(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", memory="lstm")
    with load_agent(run.folder, 2, seed=3) as agent:
        act = agent.model.actor(greedy=True)
        observation, begun = agent.env.reset(), np.ones(2, np.bool_)
        for _ in range(6):
            actions = agent.act(observation, begun, greedy=True)
            assert actions.tolist() == act(observation, begun).tolist()
            observation, _, begun, _ = agent.env.step(actions)
        agent.model.save(tmp_path / "agent.zip")
    package = tmp_path / "package"
    write_agent_package(run, package)
    card = (package / "README.md").read_text("utf-8")
    assert "with the encoder cnn and the memory lstm for" in card
    assert "calm explain" not in card


def test_weights_of_another_network_are_refused(run: Run, tmp_path: Path) -> None:
    other = small_run(tmp_path / "other", features_dim=8)
    write_policy(run.policy_path, *other.load_policy())
    run.checkpoint_path.unlink()
    with pytest.raises(UsageError, match=r"the weights do not fit its config\.yaml"):
        load_agent(run.folder)


def test_an_unknown_agent_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown agent or folder of a run"):
        agent_folder(tmp_path)
    for name in pretrained_agents():
        assert agent_folder(name).name == name


@pytest.mark.parametrize("name", ["keyroom-s5", "keyroom-s15"])
def test_a_packaged_agent_finishes_levels(name: str) -> None:
    with load_agent(name, 4, seed=2026) as agent:
        assert agent.success(4).successes == 4


@pytest.mark.slow
def test_an_agent_that_plays_loads_no_compiler() -> None:
    code = (
        "import sys; from agents import load_agent\n"
        "with load_agent('keyroom-s5', 2) as agent: agent.success(2)\n"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    with python("-c", code) as process:
        assert line(process) == "True False"


def test_packaged_agents_are_as_they_are_described(tmp_path: Path) -> None:
    assert pretrained_agents() == ["keyroom-s15", "keyroom-s5"]
    for name in pretrained_agents():
        folder = agent_folder(name)
        package = read_description((folder / FILE).read_text("utf-8"), name)
        assert package.name == name
        assert package.size < 2e6
        for file in package.files:
            assert sha256_of(folder / file.name) == file.sha256


def test_a_packaged_agent_is_copied_to_a_folder_of_ones_own(tmp_path: Path) -> None:
    text = calm("hub", "pull", "keyroom-s5", "--out", tmp_path / "mine")
    assert f"calm replay {tmp_path / 'mine'}" in text
    assert agent_folder(tmp_path / "mine") == tmp_path / "mine"
    with pytest.raises(UsageError, match="is of kind agent, not set"):
        calm("hub", "pull", "keyroom-s5", "--kind", "set", "--out", tmp_path / "other")
