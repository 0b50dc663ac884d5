"""An agent's package holds what it needs to play, and what does not fit is found."""

import json
from pathlib import Path

import pytest

from agents import load_agent
from agents.sharing.agent_package import check_agent, write_agent_package
from agents.training.run.folder import Run
from agents.training.run.policy_file import FILE
from calm.errors import UsageError


def test_a_package_plays_as_the_run_it_is_of(run: Run, tmp_path: Path) -> None:
    package = write_agent_package(run, tmp_path / "out", "mine", "apache-2.0")
    assert package.name == "mine"
    assert [file.name for file in package.files] == [
        "config.yaml", "judged.json", "metrics.parquet", "policy.safetensors", "provenance.json",
        "subgoals.json",
    ]  # fmt: skip
    assert (package.about["task"], package.about["steps"]) == ("MiniHack-Room-5x5-v0", 64)
    check_agent(tmp_path / "out")
    with load_agent(run.folder, seed=1) as ours, load_agent(tmp_path / "out", seed=1) as theirs:
        assert ours.success(2) == theirs.success(2)
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nlibrary_name: calm-credit\n")
    assert (
        "trained for 64 steps on the environment's reward and credit (once, weight 0.3) by" in card
    )
    size = (tmp_path / "out" / FILE).stat().st_size
    write_agent_package(run, tmp_path / "half", half=True)
    assert (tmp_path / "half" / FILE).stat().st_size < 0.6 * size
    assert "Numbers are stored with 16 bits." in (tmp_path / "half" / "README.md").read_text()


def test_what_does_not_fit_is_found(run: Run, tmp_path: Path) -> None:
    write_agent_package(run, tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        write_agent_package(run, tmp_path / "out")
    config = tmp_path / "out" / "config.yaml"
    good = config.read_text()
    config.write_text(good.replace("features_dim: 16", "features_dim: 8"))
    with pytest.raises(UsageError, match=r"the weights do not fit its config\.yaml"):
        check_agent(tmp_path / "out")
    config.write_text(good.replace("subgoals: given", "subgoals: /etc/hostname"))
    check_agent(tmp_path / "out")  # the subgoals that it brings are taken, and no file of ours
    (tmp_path / "out" / "subgoals.json").unlink()
    with pytest.raises(UsageError, match="names subgoals"):
        check_agent(tmp_path / "out")
    config.write_text(good)
    (tmp_path / "out" / "subgoals.json").write_text(json.dumps([{"name": 1}]))
    with pytest.raises(UsageError, match="can't be read"):
        check_agent(tmp_path / "out")


@pytest.mark.parametrize("name", ["metrics.parquet", "provenance.json", "judged.json"])
def test_every_file_of_it_is_read(run: Run, tmp_path: Path, name: str) -> None:
    write_agent_package(run, tmp_path / "out")
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=f"{name} can't be read"):
        check_agent(tmp_path / "out")
