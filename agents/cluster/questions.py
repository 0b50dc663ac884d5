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
from urllib.parse import urlsplit

from agents.training.run.folder import Run
from calm.errors import UsageError
from calm.judges import asks_model
from calm.owned.address import (
    ADDRESS,
    CERTIFICATE,
    TOKEN,
    TOKEN_FILE,
    is_loopback,
    owner_of_environment,
)
from calm.owner.certificate import certificate_beside
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
    """Whether token and answers may cross the network between the machines in the clear; else they
    go by TLS, with a certificate made for it."""

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
            UsageError: the owner that is named can't be reached from other machines; or there is
                no `openssl` to make a certificate with, and without one token and answers would
                cross the network in the clear.
        """
        if not any(asks_model(run.config.judge) for run in runs):
            yield {}
            return
        if (named := owner_of_environment()) is not None:
            if host is not None and is_loopback(urlsplit(named.url).hostname or ""):
                raise UsageError(
                    f"{ADDRESS} names {named.url}, which only this machine reaches, and cells may"
                    " be on others: start the owner with --host 0.0.0.0, --cert and --key, or unset"
                    f" {ADDRESS}, and the study starts one"
                )
            variables = {ADDRESS: named.url, TOKEN: named.token}
            others = (TOKEN_FILE, CERTIFICATE)
            yield variables | {name: os.environ[name] for name in others if os.environ.get(name)}
            return
        listening, trusted = Listening(), {}
        if host is not None and self.insecure:
            listening = Listening("0.0.0.0", insecure=True)
        elif host is not None:
            cert, key = certificate_beside(self.store, host)
            listening = Listening("0.0.0.0", cert=cert, key=key)
            trusted = {CERTIFICATE: cert.read_text("ascii")}
        options = OwnerOptions(base_url=self.base_url)
        with start_owner(self.store, options=options, listening=listening) as owner:
            scheme, _, port = owner.url.split(":")
            url = owner.url if host is None else f"{scheme}://{host}:{port}"
            token = {TOKEN: owner.token}
            if owner.token_file is not None:
                token[TOKEN_FILE] = str(owner.token_file.resolve())
            yield {ADDRESS: url, **token, **trusted}
