"""What a terminal would show of a table."""

import io

from rich.console import Console, RenderableType


def printed(shown: RenderableType, width: int = 150) -> str:
    """Returns the text of tables and lines on a terminal without colours."""
    out = io.StringIO()
    Console(file=out, width=width).print(shown)
    return out.getvalue()
