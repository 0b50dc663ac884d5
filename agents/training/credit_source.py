"""From a judge's spec to the source of the credit that is paid in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agents.training.noisy import parse_noisy
from calm.annotation.live import Annotator, Ask
from calm.errors import UsageError, unknown
from calm.judges import JUDGES, make_judge
from calm.records import Subgoal, Task, Verdict
from calm.store.store import Store
from envs.credit.noisy import NoisyTruth

CreditSource = Annotator | NoisyTruth | Literal["truth"] | None
"""What says which subgoals a step achieved, and so what is paid for it: a judge behind its memory,
the engine's truth, whole or with errors mixed in, or nothing."""

SPECS = ("none", "truth", "noisy:precision=P,recall=R", *JUDGES)
"""The specs that `make_credit_source` understands."""


def make_credit_source(
    spec: str,
    task: Task,
    subgoals: Sequence[Subgoal],
    store: Store | None = None,
    base_url: str | None = None,
    seed: int = 0,
    *,
    ask: Ask = "wait",
    patience: float = 900.0,
    ask_again: Sequence[Verdict] = (),
    most_pending: int = 256,
    form: str = "",
    thresholds: Mapping[str, float] | None = None,
) -> CreditSource:
    """Returns the source that a spec names: none, truth, noisy:..., or any judge of `calm.judges`.

    Args:
        ask: `wait` for the answers about what is new, or take them `later`, see
            `calm.annotation.live`.
        ask_again: verdicts that a model is asked about again rather than taken from the store.
        patience: seconds without an answer after which an endpoint is taken to be gone, and asking
            raises an `EndpointError`.
        most_pending: texts without an answer at once, with `later`.
        form: in which a model is asked, see `calm.asking.form`; "" for the judge's own.
        thresholds: of a model's answers, see `calm.judges.thresholds`.

    Raises:
        UsageError: no such judge, or one that can't be built.
    """
    kind = spec.partition(":")[0]
    if spec == "none":
        return None
    if spec == "truth":
        return "truth"
    if kind == "noisy":
        return parse_noisy(spec, seed)
    if kind not in {known.partition(":")[0] for known in SPECS}:
        raise unknown("judge", spec, SPECS)
    waits: dict[str, Any] = {"deadline": patience, "timeout": min(120.0, patience), "patient": True}
    again = {"again": tuple(ask_again)}
    how: dict[str, Any] = ({"form": form} if form else {}) | (
        {"thresholds": dict(thresholds)} if thresholds else {}
    )
    own = {
        "openai": waits | again | how,
        "local": {"beside": ask == "later"} | again | how,
        "replay": how,
    }
    if ask_again and kind not in ("openai", "local"):
        raise UsageError(f"ask_again needs a model that can be asked again; {spec} is none")
    if how and kind not in own:
        raise UsageError(f"form and thresholds are of a model's answers; {spec} is none")
    judge = make_judge(
        spec,
        mode="events",
        store=store,
        base_url=base_url,
        seed=seed,
        **own.get(kind, {}),
    )
    return Annotator(judge, task, subgoals, ask=ask, most_pending=most_pending)
