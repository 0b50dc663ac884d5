"""How a language model is asked: the options that commands of all layers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from calm.cli.option_record import Command, with_record
from calm.cli.options import FORMS, AskAgain, KeyEnv, read_verdicts


@dataclass(frozen=True, slots=True)
class AskingOptions:
    """What a command that asks a model takes; each field is an option of the same name."""

    form: Annotated[
        str,
        typer.Option(
            help=f"Form of question and answer: {FORMS}.",
            show_default="booleans; of replay the one that was asked most",
        ),
    ] = ""
    thresholds: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|FILE",
            help="How likely is a yes, where the answer tells: a number, or the file of"
            " `calm evaluate --learn-thresholds`.",
        ),
    ] = ""
    samples: Annotated[
        int,
        typer.Option(
            min=1,
            help="Answers to each question; the majority counts, its share is the confidence.",
        ),
    ] = 1
    repair: Annotated[
        bool, typer.Option(help="Mend small faults of form; such answers are marked.")
    ] = False
    ask_again: AskAgain = ""
    logprobs: Annotated[
        bool, typer.Option(help="Take the confidence from log-probabilities, where given.")
    ] = False
    concurrency: Annotated[int, typer.Option(min=1, help="Most requests at once.")] = 64
    rpm: Annotated[float | None, typer.Option(help="Requests a minute you may send.")] = None
    tpm: Annotated[float | None, typer.Option(help="Tokens a minute you may use.")] = None
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one attempt.")] = 120.0
    deadline: Annotated[
        float, typer.Option(min=0.1, help="Seconds for one question, retries included.")
    ] = 900.0
    prices: Annotated[
        Path | None,
        typer.Option(help="Your price file; an unknown price is shown as unknown, not as zero."),
    ] = None
    key_env: KeyEnv = "OPENAI_API_KEY"
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop before US$ this much.")] = None
    max_tokens: Annotated[int | None, typer.Option(min=0, help="Stop before this many tokens.")] = (
        None
    )
    max_requests: Annotated[
        int | None, typer.Option(min=0, help="Stop before this many requests.")
    ] = None

    def for_judge(self) -> dict[str, Any]:
        """Returns the same as fields of `calm.judges.openai.OpenAIOptions`.

        An option that is empty or None is not among them: it is left to the judge.
        """
        from calm.endpoint.budget import Limits
        from calm.judges.thresholds import read_thresholds

        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["again"] = read_verdicts(values.pop("ask_again"))
        values["thresholds"] = read_thresholds(values["thresholds"])
        limits = (values.pop(name) for name in ("max_cost", "max_tokens", "max_requests"))
        values["limits"] = Limits(*limits)
        return {name: value for name, value in values.items() if value not in ("", None)}


def with_asking_options(*names: str) -> Callable[[Command], Command]:
    """Returns a decorator that gives a command these options in place of its parameter `asking`.

    Args:
        names: fields of `AskingOptions`; none for all. The command gets the defaults of the others.
    """
    return with_record("asking", AskingOptions, names)
