"""The kinds of judge, and how one is built from its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from calm.errors import UsageError, unknown
from calm.judges.baselines import Always, Random
from calm.judges.local import local_judge
from calm.judges.openai import OpenAIJudge, OpenAIOptions
from calm.judges.owned import owned_judge
from calm.judges.protocol import Judge
from calm.judges.rules import RulesJudge
from calm.judges.stored import ReplayJudge
from calm.judges.student import StudentJudge, student_agreement, teacher_of
from calm.owned.address import owner_of_environment
from calm.records import MODES, Mode
from calm.store.store import Store

JUDGES = (
    "local:MODEL",
    "openai:MODEL",
    "rules",
    "replay",
    "replay:MODEL",
    "always-yes",
    "always-no",
    "random:P",
    "student:JUDGE",
)
"""The specs that `make_judge` understands."""

__all__ = ["JUDGES", "asks_model", "make_judge", "reads_store", "teacher_of"]


def asks_model(spec: str) -> bool:
    """Returns whether a spec names a judge that asks a language model, here or at an address.

    A student does if the judge that it learns from does.
    """
    return teacher_of(spec).startswith(("openai:", "local:"))


def reads_store(spec: str) -> bool:
    """Returns whether a spec names a judge whose answers are a model's, in a store now or then.

    Such a judge answers in a form of question, and can be made with a store alone.
    """
    return asks_model(spec) or teacher_of(spec).partition(":")[0] == "replay"


def asking_judge(
    spec: str,
    mode: Mode = "events",
    *,
    store: Store | None = None,
    base_url: str | None = None,
    options: Mapping[str, Any],
) -> OpenAIJudge:
    """Returns the judge of a spec that `asks_model`, which asks by itself.

    Args and errors are those of `make_judge`.
    """
    kind, _, model = spec.partition(":")
    if kind == "local":
        return local_judge(model, mode, store=store, options=options)
    valid = {f.name for f in fields(OpenAIOptions)} - {"base_url"}
    for name in options:
        if name not in valid:
            raise unknown("option of an openai judge", name, valid)
    opened = OpenAIOptions(base_url=base_url, **options)
    return OpenAIJudge(model, mode, store=store, options=opened)


def make_judge(
    spec: str,
    *,
    mode: Mode = "events",
    store: Store | None = None,
    base_url: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Judge:
    """Returns the judge that a spec names: `local:MODEL`, `openai:MODEL`, `rules`, ...

    `student:JUDGE`, or `student@.99:JUDGE` for the share of its own answers in which it is to
    agree with that judge (.98 if none is named), takes what that judge takes.

    Where the environment names an owner of questions (`CALM_OWNER`, see `calm.owner`), a model is
    asked through it, and `store` and `base_url` are the owner's.

    Args:
        mode: which description it reads.
        store: where `openai` keeps and `replay` finds answers.
        base_url: the endpoint of `openai`; None for `OPENAI_BASE_URL` or OpenAI's own.
        seed: of `random`. (`openai` sends a seed only if `extra={"seed": n}` says so.)
        options: fields of `OpenAIOptions`, `rules` (a table for `rules`), `repair`,
            `form` and `thresholds` for `replay`; for `local` also how the model is served, see
            `calm.judges.local`.

    Raises:
        UsageError: no such judge, mode or option.
    """
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    if (agreement := student_agreement(spec)) is not None:
        teacher = make_judge(
            teacher_of(spec), mode=mode, store=store, base_url=base_url, seed=seed, **options
        )
        return StudentJudge(teacher, agreement)
    kind, _, rest = spec.partition(":")
    if asks_model(spec) and (owner := owner_of_environment()) is not None:
        return owned_judge(spec, mode, owner, options)
    if asks_model(spec):
        return asking_judge(spec, mode, store=store, base_url=base_url, options=options)
    if kind == "replay":
        if store is None:
            raise UsageError("the replay judge needs a store to replay from: name it with --store")
        return ReplayJudge(
            rest,
            mode,
            store=store,
            repair=bool(options.get("repair")),
            form=options.get("form", ""),
            thresholds=options.get("thresholds"),
        )
    if kind == "random":
        try:
            p = float(rest) if rest else 0.5
        except ValueError:
            raise UsageError(f"random:P needs a probability, got {rest!r}") from None
        return Random(p, mode, seed)
    if spec == "rules":
        return RulesJudge(mode, options.get("rules"))
    if spec in ("always-yes", "always-no"):
        return Always(spec == "always-yes", mode)
    raise unknown("judge", spec, JUDGES)
