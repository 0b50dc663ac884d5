"""A command is written as a shell here needs it."""

import shlex
import sys
from pathlib import Path

import pytest

from calm.cli.typed import typed


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with an environment in .venv, whose Python we are, and nothing on the PATH."""
    folder = tmp_path / "my clone"
    bin = folder / ".venv" / "bin"
    bin.mkdir(parents=True)
    (bin / "calm").write_text("#!/bin/sh\n")
    (bin / "calm").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bin / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(folder)
    return folder


def test_a_path_where_calm_is_not_on_the_path(clone: Path) -> None:
    assert typed("replay", "runs/my demo") == ".venv/bin/calm replay 'runs/my demo'"


def test_calm_alone_where_the_environment_is_active(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(clone / ".venv" / "bin"))
    assert typed("doctor") == "calm doctor"


def test_another_calm_on_the_path_is_not_ours(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "calm").write_text("#!/bin/sh\n")
    (other / "calm").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    assert typed("doctor") == ".venv/bin/calm doctor"


def test_the_whole_path_from_elsewhere(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "my clone" / ".venv")
    assert typed("doctor") == "bin/calm doctor"
    (tmp_path / "far").mkdir()
    monkeypatch.chdir(tmp_path / "far")
    assert typed("doctor") == f"{shlex.quote(str(clone / '.venv' / 'bin' / 'calm'))} doctor"


def test_python_itself_where_there_is_no_script(clone: Path) -> None:
    (clone / ".venv" / "bin" / "calm").unlink()
    assert typed("doctor") == shlex.join([sys.executable, "-m", "calm", "doctor"])
