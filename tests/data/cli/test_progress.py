"""What is shown while a model answers: on the console it is given, and never too often."""

from __future__ import annotations

from io import StringIO
from threading import Event

from rich.console import Console

from calm.asking.tally import Tally
from calm.records import Usage
from data.cli.progress import Watch


def test_a_log_gets_a_line_now_and_then() -> None:
    out = StringIO()
    with Watch(Console(file=out, width=60), every=0.0) as watch:
        show = watch.line("openai:[m] events")
        show(Tally(7, 2, 1), Usage(1, cost=0.25))
        show(Tally(7, 2, 5), Usage(5, cost=0.5))
    first, second = out.getvalue().splitlines()
    assert first.startswith("openai:[m] events: 3/7")
    assert "2 from the store" in first
    assert "$0.2500" in first
    assert second.startswith("openai:[m] events: 7/7")
    out = StringIO()
    with Watch(Console(file=out), every=3600.0) as watch:
        show = watch.line("m")
        for n in range(5):
            show(Tally(5, 0, n), Usage())
    assert [x.split(" ·")[0] for x in out.getvalue().splitlines()] == ["m: 0/5"]


def test_a_log_is_told_that_no_answer_comes() -> None:
    """A model may take minutes for its first answer; a user must not think that all is stuck."""
    shown = Event()

    class Out(StringIO):
        def write(self, text: str) -> int:
            if "no answer for" in text:
                shown.set()
            return super().write(text)

    out = Out()
    with Watch(Console(file=out), every=0.01) as watch:
        watch.line("openai:slow")(Tally(5), Usage())
        assert shown.wait(240)
    assert out.getvalue().startswith("openai:slow: 0/5")


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with Watch(console) as watch:
        watch.line("openai:m events")(Tally(3, 3, 0), Usage())
    assert "openai:m events" in out.getvalue()
    assert "3/3" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the line is wiped
