"""Reads the YAML and JSON files that people write: tasks, subgoals, prices, settings, plans.

What is wrong is told in words of the file: the line, what stands there, and what to write instead.
A name that stands twice is refused, where YAML and JSON would drop the first in silence.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from calm.errors import UsageError

_QUOTE = 'put the text between quotes, "like this"'
_INDENT = "what belongs together begins in one column, what is within it further right"
_CURES = {
    r"'\\t'": "YAML is indented by spaces alone: put spaces in the tab's place",
    "stands twice": "keep one of them",
    "unacceptable character": "take the control character out",
    "another document": "a file holds one document: take the line `---` out",
    "end of stream|<stream end>": "close the quote or bracket that begins there",
    "cannot start any token|alias|anchor|tag|directive|sequence entries": _QUOTE,
    "mapping values|but got": f"if the `:` or comma is part of a text, {_QUOTE}; else {_INDENT}",
    "": f"a line is `name: value`; {_INDENT}; a quote within quotes is written twice",
}
"""What to do about a fault, by the parser's words for it; the first that fits."""
_SHOWN = 60
"""Characters of a line that a message shows."""


class _Loader(yaml.SafeLoader):
    """Loads plain values, and refuses a mapping that has a name twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            if key.value in names:
                raise ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Returns the values in YAML text.

    Raises:
        ValueError: it is no YAML; the message names the line and says what to do.
    """
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        raise ValueError(_describe(error, text)) from None
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise ValueError(f"{problem}: {_cure(problem)}") from None
    except RecursionError:
        raise ValueError("brackets within brackets, too deep to be read") from None
    except (ValueError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"a date, number or tag that is none ({error}): {_QUOTE}") from None


def read_yaml(path: Path, what: str) -> Any:
    """Returns the values in a file: JSON where its name ends in `.json`, else YAML.

    Args:
        what: it holds, for messages, such as `the task`.

    Raises:
        UsageError: it can't be read; the message names the line and says what to do.
    """
    try:
        text = path.read_text("utf-8-sig")
        return _load_json(text) if path.suffix == ".json" else load_yaml(text)
    except UnicodeDecodeError:
        words = "it is not text in UTF-8: save it as UTF-8, or name another file"
    except OSError as error:
        words = f"{error.strerror}: check its name"
    except ValueError as error:
        words = str(error)
    raise UsageError(f"can't read {what} in {path}: {words}")


def _load_json(text: str) -> Any:
    """Returns the values in JSON text; raises ValueError as `load_yaml` does."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in values if names.count(name) > 1)
            raise ValueError(f"{twice!r} stands twice in one object: keep one of them")
        return values

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        raise ValueError(
            f"line {error.lineno}{_quoted(lines, error.lineno)}: {error.msg}"
        ) from None
    except RecursionError:
        raise ValueError("brackets within brackets, too deep to be read") from None


def _describe(error: yaml.MarkedYAMLError, text: str) -> str:
    """Returns where a parser stopped, what stands there, why, and what to do."""
    problem = error.problem or "it is no YAML"
    # Where a quote or bracket began tells more than where the file ends.
    at_end = "end of stream" in problem or "<stream end>" in problem
    mark = (error.context_mark if at_end else None) or error.problem_mark
    where = (
        "" if mark is None else f"line {mark.line + 1}{_quoted(text.splitlines(), mark.line + 1)}: "
    )
    return f"{where}{problem}: {_cure(problem)}"


def _quoted(lines: list[str], number: int) -> str:
    """Returns a line in brackets, as Python writes it, so that a tab can be seen."""
    line = lines[number - 1] if number <= len(lines) else ""
    return f" ({line[:_SHOWN]!r})" if line else ""


def _cure(problem: str) -> str:
    return next(cure for pattern, cure in _CURES.items() if re.search(pattern, problem))
