"""`calm models remove`: deletes a model's weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text


def models_remove(
    model: Annotated[str, typer.Argument(help="A name that `calm models list` shows as here.")],
) -> None:
    """Delete weights that were pulled. Stored answers stay; a server that has them open, too."""
    from calm.local.pull import remove

    path = remove(model)
    Console(highlight=False).print(Text(f"removed {path}"), soft_wrap=True)
