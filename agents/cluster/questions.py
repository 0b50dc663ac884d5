"""One owner of questions for all cells of a study whose judge is asked, wherever they are trained.

A question is then asked and paid for once in the whole cluster, and its answer is in the study's
store (`calm.owner`). An owner that the environment names is used; else one is started here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.training.run_folder import Run
from calm.errors import UsageError
from calm.judges import asks_model
from calm.owned.address import ADDRESS, TOKEN, TOKEN_FILE, owner_of_environment
from calm.owner.models import OwnerOptions
from calm.owner.running import Listening, start_owner


@dataclass(frozen=True)
class Asking:
    """How the cells of a study ask their judge on other machines."""

    store: Path
    """The study's."""
    base_url: str | None = None
    """The endpoint of `openai:` judges."""
    insecure: bool = False
    """Whether token and answers may cross the network between the machines in the clear."""

    @contextmanager
    def owner(self, runs: Sequence[Run], host: str | None) -> Iterator[dict[str, str]]:
        """Starts an owner if a cell asks a model, and ends it after the block.

        Args:
            runs: of the cells.
            host: name or address of this machine as the others reach it; None where all cells are
                trained on this one.

        Yields:
            The variables by which cells ask through it, token included; none where none asks.

        Raises:
            UsageError: other machines could reach it only in the clear, and that is not allowed.
        """
        if not any(asks_model(run.config.judge) for run in runs):
            yield {}
            return
        if (named := owner_of_environment()) is not None:
            file = os.environ.get(TOKEN_FILE)
            yield {ADDRESS: named.url, TOKEN: named.token} | ({TOKEN_FILE: file} if file else {})
            return
        if host is not None and not self.insecure:
            raise UsageError(
                "cells on other machines ask their judge through one owner of questions: run"
                f" `calm owner serve --store {self.store} --host 0.0.0.0 --cert FILE"
                " --key FILE` here and export what it prints, or, on a network that you trust, add"
                " --insecure-owner"
            )
        listening = Listening("127.0.0.1" if host is None else "0.0.0.0", insecure=self.insecure)
        options = OwnerOptions(base_url=self.base_url)
        with start_owner(self.store, options=options, listening=listening) as owner:
            url = owner.url if host is None else f"http://{host}:{owner.url.rpartition(':')[2]}"
            token = {TOKEN: owner.token}
            if owner.token_file is not None:
                token[TOKEN_FILE] = str(owner.token_file.resolve())
            yield {ADDRESS: url, **token}
