"""How a language model is asked: the options that `calm annotate` and `calm evaluate` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from calm.errors import UsageError
from calm.judges import asks_model
from calm.judges.openai import OpenAIOptions

Samples = Annotated[
    int,
    typer.Option(
        min=1, help="Answers to each question; the majority counts, its share is the confidence."
    ),
]
Repair = Annotated[bool, typer.Option(help="Mend small faults of form; such answers are marked.")]
Logprobs = Annotated[
    bool, typer.Option(help="Take the confidence from log-probabilities, where given.")
]
Concurrency = Annotated[int, typer.Option(min=1, help="Most requests at once.")]
Rpm = Annotated[float | None, typer.Option(help="Requests a minute you may send.")]
Tpm = Annotated[float | None, typer.Option(help="Tokens a minute you may use.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds for one attempt.")]
Deadline = Annotated[
    float, typer.Option(min=0.1, help="Seconds for one question, retries included.")
]
Prices = Annotated[
    Path | None, typer.Option(help="Your price file; an unknown price is told, not zero.")
]
MaxCost = Annotated[float | None, typer.Option(min=0, help="Stop before US$ this much.")]
MaxTokens = Annotated[int | None, typer.Option(min=0, help="Stop before this many tokens.")]
MaxRequests = Annotated[int | None, typer.Option(min=0, help="Stop before this many requests.")]


def taken(spec: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options (fields of `OpenAIOptions`) that a judge takes: a model takes them all.

    `replay` reads what a model said, so it takes how to read it.
    """
    if asks_model(spec):
        return dict(options)
    names = {"repair"} if spec.startswith("replay") else set()
    return {name: value for name, value in options.items() if name in names}


def check_taken(specs: Sequence[str], options: Mapping[str, Any]) -> None:
    """Refuses options that are not at their defaults and that none of the judges takes.

    Raises:
        UsageError: names the first.
    """
    default = OpenAIOptions()
    for name, value in options.items():
        if value != getattr(default, name) and not any(name in taken(s, options) for s in specs):
            limits = "max-cost, --max-tokens, --max-requests"
            flag = limits if name == "limits" else name.replace("_", "-")
            raise UsageError(
                f"--{flag}: a model takes that, and none is asked here; name one:"
                " --judge local:MODEL or openai:MODEL"
            )
