"""Runs `calm` in this process."""

from typer.testing import CliRunner, Result

from calm.cli.main import build
from calm.errors import CalmError


def calm(*arguments: object) -> str:
    """What a command prints; errors raised on purpose come through."""
    done = CliRunner().invoke(build(), [str(a) for a in arguments])
    if isinstance(done.exception, CalmError):
        raise done.exception
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def run_calm(*arguments: object) -> Result:
    """What a command did: its output, its exit code, and the error that it raised."""
    return CliRunner().invoke(build(), [str(a) for a in arguments], terminal_width=100)
