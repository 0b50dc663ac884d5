"""The judge that asks a model through an owner of questions, see `calm.owner`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from calm.endpoint.envelope import Reply
from calm.errors import UsageError
from calm.judges.local import SERVER_OPTIONS
from calm.judges.openai import OpenAIJudge, OpenAIOptions
from calm.owned.address import OwnerAddress
from calm.owned.asker import OwnerAsker, OwnerEndpoint
from calm.owned.client import OwnerStore
from calm.owned.connection import connection_to
from calm.records import Mode
from calm.store.question import Context, Question
from calm.store.store import Store

_OWNERS = {
    "limits": "--max-cost, --max-tokens, --max-requests",
    "rpm": "--rpm",
    "tpm": "--tpm",
}
"""What the owner holds for all askers; an asker that names one would not get what it wants."""
_NOT_ASKERS = ("key_env", "concurrency", "timeout", "deadline", "backoff", "patient", "poll")
"""What an asker need not know either, and which is left out in silence: it is of one process."""


class OwnedJudge(OpenAIJudge):
    """Asks a model that an owner asks for all; questions, answers and their keys are the same.

    Args:
        spec: as for the judge that asks by itself, such as `openai:MODEL`.
    """

    endpoint: OwnerEndpoint

    def __init__(self, spec: str, mode: Mode, owner: OwnerAddress, options: OpenAIOptions) -> None:
        self.spec = spec
        connection = connection_to(owner)
        endpoint = OwnerEndpoint(connection, spec)
        super().__init__(
            endpoint.model,
            mode,
            store=OwnerStore(connection),
            options=options,
            endpoint=endpoint,
            asker=OwnerAsker,
        )

    @property
    def name(self) -> str:
        """Returns the spec that builds it again."""
        return self.spec

    def ask_once(
        self, context: Context, question: Question, schema: Mapping[str, Any] | None, store: Store
    ) -> Reply:
        """Returns the reply to a question in no form, which is in the owner's store then."""
        return self.run(self.endpoint.ask_once(context, question, schema))


def owned_judge(
    spec: str, mode: Mode, owner: OwnerAddress, options: Mapping[str, Any]
) -> OwnedJudge:
    """Returns the judge that a spec names, asked through an owner.

    Args:
        options: fields of `OpenAIOptions`, and those of a local model's server, which is the
            owner's to start.

    Raises:
        UsageError: a limit or a rate is named, which the owner holds; or no such option.
    """
    usual = OpenAIOptions()
    asking = dict(options)
    for name in (*SERVER_OPTIONS, *_NOT_ASKERS, "base_url", "price", "prices"):
        asking.pop(name, None)
    for name, flag in _OWNERS.items():
        if asking.pop(name, getattr(usual, name)) != getattr(usual, name):
            raise UsageError(
                f"{flag}: the owner at {owner.url} holds the budget and the pace of all who ask;"
                " name limits where it is started, with `calm owner serve`"
            )
    if asking.pop("batch", False):
        raise UsageError("an owner of questions does not use the Batch API: leave --batch out")
    valid = {f.name for f in fields(OpenAIOptions)}
    if strange := asking.keys() - valid:
        raise UsageError(f"no such option of a judge: {', '.join(sorted(strange))}")
    return OwnedJudge(spec, mode, owner, OpenAIOptions(**asking))
