"""An owner of questions on loopback, and what makes this process ask through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.judges.owned import OwnedJudge
from calm.loopback import Loopback
from calm.owned.address import OwnerAddress
from calm.owned.connection import connection_to
from calm.owner.models import OwnerOptions
from calm.owner.running import RunningOwner, start_owner
from calm.store.store import Store


@contextmanager
def owner_of(
    server: Loopback, store: Path | None, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> Iterator[RunningOwner]:
    """Runs an owner of a store that asks `server`, named by this process's environment."""
    asking = OwnerOptions(base_url=server.url, backoff=0.01, **options)
    with start_owner(store, options=asking, token="a-token-that-is-long-enough") as owner:
        for name, value in owner.environment.items():
            monkeypatch.setenv(name, value)
        try:
            yield owner
        finally:
            for name in owner.environment:
                monkeypatch.delenv(name)
            connection_to(OwnerAddress(owner.url, owner.token)).close()


def by_itself(server: Loopback, **options: object) -> OpenAIJudge:
    """A judge that asks a server without an owner, with a store in memory."""
    judge = make_judge("openai:m", base_url=server.url, store=Store(), **options)
    assert type(judge) is OpenAIJudge
    return judge


def through_owner(**options: object) -> OwnedJudge:
    """A judge that asks the owner that the environment names."""
    judge = make_judge("openai:m", **options)
    assert type(judge) is OwnedJudge
    return judge
