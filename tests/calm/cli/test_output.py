"""How commands print: no line is broken, and JSON fits the terminal."""

import io
import json
import sys

import pytest

from calm.cli.output import make_console, print_json


@pytest.mark.parametrize(("encoding", "written"), [("utf-8", "“é”"), ("ascii", "\\u201c")])
def test_json_is_written_as_the_terminal_can_show_it(
    encoding: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    print_json({"name": "“é”"})
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert written in text
    assert json.loads(text) == {"name": "“é”"}


def test_a_long_line_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print("1.5 " * 100)
    assert capsys.readouterr().out == "1.5 " * 100 + "\n"
