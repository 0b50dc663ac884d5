"""The models that an owner asks for all: one endpoint, pace and budget each, one limit for all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from calm.asking.asker import Asker
from calm.endpoint.budget import Limits
from calm.errors import UsageError
from calm.judges import asking_judge, asks_model
from calm.judges.openai import OpenAIJudge
from calm.records import Verdict
from calm.store.question import Context
from calm.store.store import Store
from calm.store.writer import Writer


@dataclass(frozen=True)
class OwnerOptions:
    """How an owner asks models, and what all of it may cost; see `OpenAIOptions`."""

    base_url: str | None = None
    """Of `openai:` judges; several addresses of one model are separated by spaces."""
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = 64
    rpm: float | None = None
    tpm: float | None = None
    timeout: float = 120.0
    deadline: float = 900.0
    backoff: float = 0.5
    limits: Limits = field(default_factory=Limits)
    """On all models together, earlier runs included."""
    prices: Path | None = None

    def for_judge(self) -> dict[str, Any]:
        """Returns the same as options of a judge; it waits for an endpoint that is away."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "base_url"}
        return values | {"patient": True}


class OwnedModel:
    """One model: whoever asks it, by whatever wording, uses its one endpoint.

    Args:
        judge: built from the model's spec; what asks is its endpoint.
        writer: commits answers.
    """

    def __init__(self, judge: OpenAIJudge, writer: Writer) -> None:
        self.name = judge.model
        self.endpoint = judge.endpoint
        self._judge = judge
        self._writer = writer
        self._askers: dict[tuple[int, bool], Asker] = {}
        self._counted: set[str] = set()

    def asker(self, per_request: int, repair: bool, again: Iterable[Verdict]) -> Asker:
        """Returns what gets questions answered as an asker wants it.

        One that asks again has its own: each question is asked again once for each that wants it.
        """
        again = tuple(again)

        def make() -> Asker:
            return Asker(
                self.endpoint,
                self._judge.store,
                per_request=per_request,
                repair=repair,
                again=again,
                writer=self._writer,
            )

        if again:
            return make()
        key = (per_request, repair)
        if key not in self._askers:
            self._askers[key] = make()
        return self._askers[key]

    def count_before(self, context: Context) -> None:
        """Lets the budget know, once a context, what it has cost before this owner."""
        if context.hash not in self._counted:
            self._counted.add(context.hash)
            self.endpoint.budget.count_before(self._judge.store.paid(context))
        for name in ("max_tokens", "max_completion_tokens"):
            if isinstance(most := context.params.get(name), int):
                self.endpoint.budget.expect(most)

    def describe(self) -> dict[str, Any]:
        """Returns what an asker is told of it."""
        price = self.endpoint.budget.price
        return {
            "model": self.name,
            "address": self.endpoint.address,
            "card": self.endpoint.card,
            "cap": self.endpoint.pace.cap,
            "price": None if price is None else price.model_dump(),
        }

    async def aclose(self) -> None:
        """Closes the connections."""
        await self.endpoint.aclose()
        await asyncio.to_thread(self._judge.close)


class Models:
    """Opens models by the specs of judges, each once, under one limit.

    Args:
        store: where answers go.
        options: how they are asked.
        writer: commits answers.
    """

    def __init__(self, store: Store, options: OwnerOptions, writer: Writer) -> None:
        self._store, self._options, self._writer = store, options, writer
        self._models: dict[str, OwnedModel] = {}
        self._opening = asyncio.Lock()

    async def model(self, spec: str) -> OwnedModel:
        """Returns the model of a judge's spec.

        Raises:
            UsageError: it names no model, or one that can't be asked. EndpointError: no key.
        """
        if spec not in self._models:
            async with self._opening:
                if spec not in self._models:
                    model = OwnedModel(await asyncio.to_thread(self._open, spec), self._writer)
                    for other in list(self._models.values())[:1]:
                        model.endpoint.budget.share_limits(other.endpoint.budget)
                    self._models[spec] = model
        return self._models[spec]

    def _open(self, spec: str) -> OpenAIJudge:
        if not asks_model(spec):
            raise UsageError(f"{spec!r} names no model that is asked: local:MODEL or openai:MODEL")
        o = self._options
        return asking_judge(spec, store=self._store, base_url=o.base_url, options=o.for_judge())

    def spending(self) -> list[dict[str, Any]]:
        """Returns what each model has cost since the owner was started, and before."""
        budgets = {spec: m.endpoint.budget for spec, m in self._models.items()}
        return [
            {"judge": spec, "spent": asdict(b.spent), "before": asdict(b.before)}
            for spec, b in budgets.items()
        ]

    async def aclose(self) -> None:
        """Closes all connections."""
        for model in self._models.values():
            await model.aclose()
