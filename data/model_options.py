"""How a language model is asked: the options that `calm annotate` and `calm evaluate` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
