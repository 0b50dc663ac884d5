"""Writes the card of what is shared: a README that begins as the Hugging Face hub reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

UNKNOWN = "unknown"
"""The hub's word for a licence that nobody has told."""
TAGS = ("calm", "reinforcement-learning", "credit-assignment", "minihack", "nethack")


def card(header: Mapping[str, Any], paragraphs: Iterable[str]) -> str:
    """Returns a card: the header as YAML between dashes, then the paragraphs as Markdown.

    Args:
        header: by the hub's names for them: `license`, `tags`, `configs` and the like.
        paragraphs: headings and tables among them; empty ones are left out.
    """
    front = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n\n".join(filter(None, paragraphs)) + "\n"


def without_header(text: str) -> str:
    """Returns a card's Markdown without the YAML that it may begin with."""
    if not text.startswith("---\n"):
        return text.strip()
    _, end, rest = text[4:].partition("\n---\n")
    return rest.strip() if end else text.strip()


def size_category(rows: int) -> str:
    """Returns the hub's word for so many rows: `1K<n<10K`."""
    bounds = ((1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"), (10**7, "10M"))
    below = "n"
    for bound, name in bounds:
        if rows < bound:
            return f"n<{name}" if below == "n" else f"{below}<n<{name}"
        below = name
    return "n>10M"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table as Markdown; bars within a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)
