"""Writes Markdown from plain values: tables, fenced blocks, lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(value: object) -> str:
    """Returns a value as it can stand in one cell of a table."""
    return " ".join(str(value).replace("|", "\\|").split())


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table with a header; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def fence(text: str, language: str = "text") -> str:
    """Returns a block that is shown as it is written, whatever backticks it holds."""
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}{language}\n{text.strip(chr(10))}\n{ticks}"


def code(value: object) -> str:
    """Returns a value in code's type, as it can stand in a sentence; "" for nothing."""
    return f"`{value}`" if str(value) else ""
