"""How the commands of all layers print."""

from __future__ import annotations

import json
import sys

from rich.console import Console


def make_console() -> Console:
    """Returns a console on standard output that breaks no lines and colours no words."""
    return Console(highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Prints a value as JSON, with `\\u` escapes where the terminal has no UTF-8."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not unicode) + "\n")
