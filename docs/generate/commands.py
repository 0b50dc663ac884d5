"""Writes the reference of every command from the parser itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from calm.cli.main import build
from docs.generate.tables import fence


def commands() -> str:
    """Returns every command with its help, as the command itself prints it."""
    return "\n\n".join(f"## {name}\n\n{fence(text)}" for name, text in command_helps().items())


def command_helps() -> dict[str, str]:
    """Returns the help of every command by its whole name, such as `calm store why`."""
    return dict(_helps(typer.main.get_command(build())))


def _helps(command: Any, parent: Any = None) -> Iterator[tuple[str, str]]:
    """Yields the whole name and the help of a command and of each below it, itself first."""
    context = command.context_class(
        command,
        info_name=command.name,
        parent=parent,
        terminal_width=80,
        **command.context_settings,
    )
    yield context.command_path, command.get_help(context)
    for name in sorted(getattr(command, "commands", {})):
        yield from _helps(command.commands[name], context)
