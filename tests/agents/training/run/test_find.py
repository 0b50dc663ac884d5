"""Runs are found where a folder or a pattern says, and what holds none is told so."""

from pathlib import Path

import pytest

from agents.training.run.find import find_runs, runs_in
from calm.errors import UsageError


def run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    return folder


def test_runs_are_found_at_any_depth_and_by_pattern_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a = run(Path("runs/a"))
    cell = run(Path("runs/study/cells/KeyRoom-S5/rules/seed0"))
    b = run(Path("runs/b"))
    run(b / "in-a-run")  # as of an earlier release's copy
    run(Path("runs/.hidden/c"))
    assert find_runs(["runs"]) == [a, b, cell]
    assert find_runs(["runs/b", "runs/*", Path("runs/a")]) == [b, a, cell]
    assert find_runs(["runs/[ab]"]) == [a, b]
    assert runs_in(a) == [a]
    assert runs_in(Path("runs/study/cells/KeyRoom-S5/rules")) == [cell]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "empty holds no run: expected a run's folder"),
        ("nowhere", "nowhere holds no run, as there is no such folder: expected"),
        ("em*y", "pattern such as 'runs/\\*'"),
        ("x*", "there is no such folder"),
    ],
)
def test_what_holds_no_run_is_told_with_what_was_expected(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=reason):
        find_runs([name])
