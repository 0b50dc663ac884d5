"""Which of the options for asking a model a judge takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calm.errors import UsageError
from calm.judges import asks_model, reads_store
from calm.judges.openai import OpenAIOptions


def options_for(spec: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of the options (fields of `OpenAIOptions`) that a judge takes.

    A model takes all.

    `replay` reads what a model said, so it takes how to read it. An option that is empty or None
    is left to the judge.
    """
    options = {name: value for name, value in options.items() if value not in ("", None)}
    if asks_model(spec):
        return dict(options)
    names = {"repair", "form", "thresholds"} if reads_store(spec) else set()
    return {name: value for name, value in options.items() if name in names}


def refuse_unused(specs: Sequence[str], options: Mapping[str, Any]) -> None:
    """Refuses options that are not at their defaults and that none of the judges takes.

    Raises:
        UsageError: names the first.
    """
    default = OpenAIOptions()
    for name, value in options.items():
        if value in ("", None):
            continue
        used = any(name in options_for(spec, options) for spec in specs)
        if value != getattr(default, name) and not used:
            flags = {"limits": "max-cost, --max-tokens, --max-requests", "again": "ask-again"}
            flag = flags.get(name, name.replace("_", "-"))
            raise UsageError(
                f"--{flag}: a model takes that, and none is asked here; name one:"
                " --judge local:MODEL or openai:MODEL"
            )
