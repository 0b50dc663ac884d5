"""The judge that asks a model on this machine: as any endpoint is asked, but its server is ours."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from calm.asking.form import form_named
from calm.asking.tally import Tally
from calm.endpoint.pricing import Price, price_of
from calm.errors import UsageError, unknown
from calm.judges.openai import OpenAIJudge, OpenAIOptions
from calm.judges.student import teacher_of
from calm.local.lease import ServerLease
from calm.local.machine import MAX_SLOTS
from calm.local.registry import BestForm, known_weights
from calm.local.transport import LocalTransport
from calm.local.weights import INSTALL, Notify, Weights, find_weights
from calm.records import Judgement, Mode, Subgoal, Task, Transition
from calm.store.store import Store

SERVING = "xllamacpp"
"""The module that holds weights, in a process of its own (`calm.local.server_process`)."""
SERVER_OPTIONS = ("beside", "threads", "slots", "context")
"""Options of a local judge that say how its model is served; see `calm.local.lease`."""
_SLOWER: Mapping[str, float] = {"timeout": 600.0, "deadline": 3600.0, "concurrency": MAX_SLOTS}
"""For options left at their defaults, which are those of a service with many machines."""
_FREE = Price(input=0, output=0)


class LocalJudge(OpenAIJudge):
    """Asks a model on this machine; its answers are kept under a name that holds the weights' hash.

    Args:
        spec: as the weights were named, a file or a name (see `calm.local.weights`).
        lease: of the model's server.
        hint: a line on how it would judge better, told when it is first asked; "" for none.
    """

    def __init__(
        self,
        spec: str,
        mode: Mode,
        lease: ServerLease,
        *,
        store: Store | None,
        options: OpenAIOptions,
        hint: str = "",
        **more: Any,
    ) -> None:
        self.spec = spec
        self.lease = lease
        self._hint = hint
        transport = LocalTransport(lease, options.timeout, options.concurrency)
        super().__init__(
            transport.address, mode, store=store, options=options, transport=transport, **more
        )

    @property
    def name(self) -> str:
        """Returns the spec that builds it again, with the weights as they were named."""
        return f"local:{self.spec}"

    async def ajudge(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
        *,
        tally: Tally | None = None,
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""
        if self._hint:
            self.lease.tell(self._hint)
            self._hint = ""
        return await super().ajudge(task, subgoals, transitions, tally=tally)


def say(line: str) -> None:
    """Writes a line to standard error: loading a model is not silent, whoever asks it."""
    sys.stderr.write(f"calm: {line}\n")
    sys.stderr.flush()


def check_can_judge(weights: Weights) -> None:
    """Refuses weights that can't be asked a question.

    Raises:
        UsageError: says why, and what to take instead.
    """
    header = weights.header
    if header.parts > 1:
        raise UsageError(
            f"{weights.path} is one of {header.parts} files of a model; join them first"
            " (llama.cpp's `llama-gguf-split --merge`)"
        )
    if not header.chat_template:
        raise UsageError(
            f"{weights.path} ({header.name or header.architecture}) has no chat template: it is a"
            " base model, which continues a text and answers no questions. Take the model that"
            " was trained to follow instructions (instruct, it, chat)"
        )


def best_form(spec: str, mode: Mode = "events") -> BestForm | None:
    """Returns the form in which the model that a judge's spec names was measured to judge best.

    None where that was not measured, or the form does not take this description, or the spec names
    another kind of judge.

    Raises:
        UsageError: there are no such weights here.
    """
    kind, _, name = teacher_of(spec).partition(":")
    if kind != "local":
        return None
    return _best_form(find_weights(name, say), mode)


def _best_form(weights: Weights, mode: Mode) -> BestForm | None:
    known = known_weights(weights.sha256)
    best = None if known is None else known.best
    return best if best is not None and mode in form_named(best.form).modes else None


def open_lease(weights: Weights, tell: Notify = say, **server: Any) -> ServerLease:
    """Returns a lease of the server of weights that can judge; it starts when it is first needed.

    Args:
        server: some of `SERVER_OPTIONS`.

    Raises:
        UsageError: the weights can't judge, or the extra that serves them is not installed.
    """
    check_can_judge(weights)
    if importlib.util.find_spec(SERVING) is None:
        raise UsageError(f"a local model needs xllamacpp, which is not installed: {INSTALL}")
    return ServerLease(weights, tell=tell, **server)


def local_judge(
    spec: str,
    mode: Mode = "events",
    *,
    store: Store | None = None,
    tell: Notify | None = None,
    options: Mapping[str, Any],
) -> LocalJudge:
    """Returns the judge that `local:SPEC` names.

    Args:
        tell: called with a line on what is waited for while the model is loaded; None writes it
            to standard error.
        options: fields of `OpenAIOptions`, and `SERVER_OPTIONS`.

    Raises:
        UsageError: no such weights or option, or the weights can't judge.
    """
    tell = tell or say
    asking = dict(options)
    server = {name: asking.pop(name) for name in SERVER_OPTIONS if name in asking}
    valid = {f.name for f in fields(OpenAIOptions)} - {"base_url", "key_env", "batch", "poll"}
    for name in ("base_url", "key_env", "poll"):  # of an address, which this has none of
        asking.pop(name, None)
    if asking.pop("batch", False):
        raise UsageError("a local model has no Batch API: leave --batch out")
    for name in asking:
        if name not in valid:
            raise unknown("option of a local judge", name, {*valid, *SERVER_OPTIONS})
    if not spec:
        raise UsageError("name the model: local:MODEL; `calm models list` shows some")
    weights = find_weights(spec, tell)
    chosen = replace(OpenAIOptions(), **asking)
    usual = OpenAIOptions()
    slower = {n: v for n, v in _SLOWER.items() if getattr(chosen, n) == getattr(usual, n)}
    if chosen.price is None and price_of(f"local:{weights.id}", chosen.prices) is None:
        slower["price"] = _FREE  # type: ignore[assignment]
    chosen = replace(chosen, **slower)  # type: ignore[arg-type]
    lease = open_lease(weights, tell, **server)
    hint = "" if "form" in options else _hint(weights, mode, chosen.form)
    return LocalJudge(spec, mode, lease, store=store, options=chosen, hint=hint)


def _hint(weights: Weights, mode: Mode, form: str) -> str:
    """Returns a line on the form in which weights judge best; "" where that is not known."""
    if (best := _best_form(weights, mode)) is None:
        return ""
    return f"{weights.name} is asked in {form}; it judges better with {best.options}: {best.worth}"
