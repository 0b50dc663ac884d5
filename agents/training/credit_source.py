"""Makes, from a judge's spec, the source of the credit that is paid in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agents.training.noisy_spec import parse_noisy
from calm.annotation.live import Annotator, Ask
from calm.errors import UsageError, unknown
from calm.judges import JUDGES, make_judge, teacher_of
from calm.records import Subgoal, Task, Verdict
from calm.store.store import Store
from envs.credit.noisy import NoisyTruth

CreditSource = Annotator | NoisyTruth | Literal["truth"] | None
"""What says which subgoals a step achieved, and so what is paid for it: a judge behind its memory,
the engine's truth, whole or with errors mixed in, or nothing."""

SPECS = ("none", "truth", "noisy:precision=P,recall=R", *JUDGES)
"""The specs that `make_credit_source` understands."""


@dataclass(frozen=True)
class Asking:
    """How a run asks a judge that is a model; see `agents.training.settings.config.TrainConfig`."""

    ask: Ask = "wait"
    """`wait` for answers about what is new, or take them `later`, see `calm.annotation.live`."""
    patience: float = 900.0
    """Seconds without an answer after which an endpoint is taken to be gone, and asking raises an
    `EndpointError`."""
    ask_again: Sequence[Verdict] = ()
    """Verdicts that a model is asked about again rather than taken from the store."""
    most_pending: int = 256
    """Texts without an answer at once, with `later`."""
    form: str = ""
    """In which a model is asked, see `calm.asking.form`; "" for the judge's own."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of a model's answers, see `calm.judges.thresholds`."""

    def options(self, spec: str) -> dict[str, Any]:
        """Returns these as options of the judge that a spec names.

        Raises:
            UsageError: something is named that the judge has no use for.
        """
        kind = teacher_of(spec).partition(":")[0]
        waits = {"deadline": self.patience, "timeout": min(120.0, self.patience), "patient": True}
        again = {"again": tuple(self.ask_again)}
        reading: dict[str, Any] = {"form": self.form} if self.form else {}
        if self.thresholds:
            reading["thresholds"] = dict(self.thresholds)
        by_kind: dict[str, dict[str, Any]] = {
            "openai": waits | again | reading,
            "local": {"beside": self.ask == "later"} | again | reading,
            "replay": reading,
        }
        if self.ask_again and kind not in ("openai", "local"):
            raise UsageError(f"ask_again needs a model that can be asked again; {spec} is none")
        if reading and kind not in by_kind:
            raise UsageError(f"form and thresholds are of a model's answers; {spec} is none")
        return by_kind.get(kind, {})


def make_credit_source(
    spec: str,
    task: Task,
    subgoals: Sequence[Subgoal],
    store: Store | None = None,
    base_url: str | None = None,
    seed: int = 0,
    asking: Asking = Asking(),
) -> CreditSource:
    """Returns the source that a spec names: none, truth, noisy:..., or any judge of `calm.judges`.

    Args:
        spec: one of `SPECS`.
        task: that is trained on.
        subgoals: that the judge is asked about.
        store: where a model's answers are kept and looked up.
        base_url: the endpoint of an `openai:` judge.
        seed: of what a judge draws.
        asking: how a model is asked.

    Raises:
        UsageError: no such judge, or one that can't be built.
    """
    kind = teacher_of(spec).partition(":")[0]
    if spec == "none":
        return None
    if spec == "truth":
        return "truth"
    if kind == "noisy":
        return parse_noisy(spec, seed)
    if kind not in {known.partition(":")[0] for known in SPECS}:
        raise unknown("judge", spec, SPECS)
    options = asking.options(spec)
    judge = make_judge(spec, mode="events", store=store, base_url=base_url, seed=seed, **options)
    return Annotator(judge, task, subgoals, ask=asking.ask, most_pending=asking.most_pending)
