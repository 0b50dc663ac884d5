"""Runs `calm` in this process."""

from typer.testing import CliRunner

from calm.cli.main import build
from calm.errors import CalmError


def calm(*arguments: object) -> str:
    """What a command prints; errors raised on purpose come through."""
    done = CliRunner().invoke(build(), [str(a) for a in arguments])
    if isinstance(done.exception, CalmError):
        raise done.exception
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout
