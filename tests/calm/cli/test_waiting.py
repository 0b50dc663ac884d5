"""What is waited for is said: once in a log, with the time on a terminal."""

import io

from rich.console import Console

from calm.cli.waiting import waiting


def test_a_log_has_one_line() -> None:
    out = io.StringIO()
    with waiting(Console(file=out), "m: subgoals of [bold]x[/]"):
        assert out.getvalue() == "m: subgoals of [bold]x[/] ...\n"
    assert out.getvalue().count("\n") == 1


def test_a_terminal_shows_it_while_the_block_runs() -> None:
    out = io.StringIO()
    with waiting(Console(file=out, force_terminal=True, width=80), "loading [x]"):
        pass
    assert "loading [x]" in out.getvalue()
    assert "0:00:0" in out.getvalue()
