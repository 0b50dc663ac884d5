"""`calm` as a process: its version, how it is stopped, what is missing, terminals of all kinds."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from calm import __version__
from calm.extras import advice_on_missing
from calm.loopback import Loopback
from tests.support.kitchen import calm
from tests.support.processes import eventually, python

TASK = """
id: Cafe-v0
goal: Order a café crème → pay.
subgoals:
  - {name: order the crème, definition: The order is given.}
  - {name: pay the bill, definition: Coins leave the purse.}
"""


def run(
    *words: str,
    cwd: Path,
    hidden: tuple[str, ...] = (),
    encoding: str = "utf-8",
    columns: int = 100,
) -> subprocess.CompletedProcess[str]:
    """A process of `calm`, as if the hidden modules were not installed, on such a terminal."""
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from calm.cli.main import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": str(columns)},
        capture_output=True,
        encoding=encoding,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cafe.yaml").write_text(TASK, "utf-8")
    return tmp_path


def test_the_version_is_told(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"calm {__version__}\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_without_a_sign_shows_another_and_json_stays_whole(
    encoding: str, folder: Path
) -> None:
    done = calm("decompose", "cafe.yaml", cwd=folder, encoding=encoding)
    assert done.returncode == 0, done.stderr
    goal = "Order a café crème → pay.".encode(encoding, "replace").decode(encoding)
    assert goal in done.stdout
    done = calm("decompose", "cafe.yaml", "--json", cwd=folder, encoding=encoding)
    assert json.loads(done.stdout)["subgoals"][0]["name"] == "order the crème"
    assert calm("store", "stats", cwd=folder, encoding=encoding).returncode == 0
    if encoding == "ascii":
        assert goal in run("decompose", "cafe.yaml", cwd=folder, encoding=encoding).stdout


def test_a_terminal_of_unknown_width_shows_something(folder: Path) -> None:
    assert "Cafe" in run("decompose", "cafe.yaml", cwd=folder, columns=0).stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_sigterm_ends_a_command_as_ctrl_c_does(
    number: signal.Signals, code: int, folder: Path
) -> None:
    with Loopback(latency=300) as server:
        command = ["-m", "calm", "decompose", "cafe.yaml", "--judge", "openai:m"]
        command += ["--base-url", server.url]
        with python(*command, cwd=folder, stderr=subprocess.PIPE) as process:
            assert eventually(lambda: server.requests > 0 or process.poll() is not None)
            process.send_signal(number)
            _, errors = process.communicate(timeout=240)
    assert process.returncode == code
    assert "interrupted; everything done so far is kept" in errors
    assert "Traceback" not in errors


def test_sigterm_ends_what_a_script_runs_in_the_background(folder: Path) -> None:
    """A shell without job control has its background commands ignore Ctrl-C."""
    with Loopback(latency=300) as server:
        words = "-m calm decompose cafe.yaml --judge openai:m --base-url"
        script = f"trap '' INT; exec {sys.executable} {words} {server.url}"
        with subprocess.Popen(
            ["sh", "-c", script], cwd=folder, stderr=subprocess.PIPE, text=True
        ) as process:
            assert eventually(lambda: server.requests > 0 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=240)
    assert process.returncode == 143
    assert "interrupted; everything done so far is kept" in errors


def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    done = run("label", "--as", "me", cwd=tmp_path, hidden=("starlette", "uvicorn"))
    assert done.returncode == 2
    assert "which is not installed: it comes with the extra `label`" in done.stderr
    assert "Traceback" not in done.stderr
    assert advice_on_missing(ModuleNotFoundError(name="uvicorn.config")) is not None
    assert advice_on_missing(ModuleNotFoundError(name="our_own")) is None


def test_a_command_of_a_layer_that_is_not_here_says_how_to_have_it(tmp_path: Path) -> None:
    done = run("train", "KeyRoom-S5", cwd=tmp_path, hidden=("agents",))
    assert done.returncode == 2
    assert "unknown command 'train'" in done.stderr
    assert "Not available here: agents.cli.commands (no module 'agents')" in done.stderr


def test_a_warning_is_one_line_without_its_place_in_the_code(folder: Path) -> None:
    printed = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        calm("--help", cwd=folder)
        with contextlib.redirect_stderr(printed):
            warnings.warn("it is \x1b[2J old", stacklevel=1)
    (line,) = printed.getvalue().splitlines()
    assert line.startswith("calm: warning: it is ")
    assert line.isprintable()


def test_an_interrupt_that_an_extension_module_turns_into_its_own_error_is_one(
    tmp_path: Path,
) -> None:
    code = """
from calm.cli import main

def build():
    raise ImportError("initialization failed") from KeyboardInterrupt()

main.build = build
main.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "calm: interrupted; everything done so far is kept.\n"
