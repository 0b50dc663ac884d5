"""Signals in the first moments of `calm`."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_command_is_loading_is_told_in_one_line(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    program = f"""
import signal, sys
class Stopped:
    def find_spec(self, name, path=None, target=None):
        if name == "calm.cli.groups":  # one of the first of what `calm` loads
            signal.raise_signal({int(number)})
sys.meta_path.insert(0, Stopped())
from calm.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    message = "calm: interrupted; everything done so far is kept.\n"
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)


def test_what_is_loaded_before_signals_are_handled_is_next_to_nothing() -> None:
    program = "import sys, calm.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "calm.cli.loading" in loaded
    assert not loaded & {"typing", "re", "difflib", "contextlib", "typer", "rich", "calm.cli.main"}
