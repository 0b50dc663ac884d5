"""The labelled sets: written once, and built again the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.data_sets.build import Part, build
from calm.cli.main import build as calm_app
from calm.errors import UsageError
from data.dataset import load, shipped
from envs.collect import play
from tests.support.command_line import calm


def test_a_set_is_built_once_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.data_sets import build as build_data

    def small() -> dict[str, Part]:
        task = play("KeyRoom-S5", "scripted", episodes=1, seed=5)
        subset = list(task)
        tasks = {"MiniHack-KeyRoom-S5-v0": build_data.find_task("KeyRoom-S5")}
        return {"natural": Part(subset, tasks)}

    monkeypatch.setattr(build_data, "SETS", {"small-v1": small})
    folder = tmp_path / "small-v1"
    build("small-v1", folder)
    assert len(load(folder).parts["natural"].rows) > 3
    with pytest.raises(UsageError, match="never changes in place"):
        build("small-v1", folder)
    with pytest.raises(UsageError, match="unknown data set 'smal-v1'"):
        build("smal-v1", tmp_path / "other")
    output = calm("data", "build", "small-v1", "--out", folder, "--check")
    assert output == "small-v1: identical, byte for byte\n"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["made_by"] == "calm data build small-v1"
    manifest["parts"]["natural"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = CliRunner().invoke(
        calm_app(), ["data", "build", "small-v1", "--out", str(folder), "--check"]
    )
    assert (done.exit_code, done.output) == (1, "small-v1: DIFFERS in natural\n")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", shipped())
def test_shipped_sets_are_rebuilt_byte_for_byte(name: str) -> None:
    assert "identical" in calm("data", "build", name, "--check")
