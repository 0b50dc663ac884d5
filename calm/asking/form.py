"""Forms of question and answer: how a model is asked about transitions, and how it is understood.

A form is a prompt template, a schema of the answer, a reader, and what a request needs beside the
sampling parameters. The template's hash and the request's parameters are part of every stored
answer's key, so answers of two forms are never mixed, and each is read by the form that asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from calm.asking.parse import Reader, read_booleans
from calm.errors import unknown

Schema = Callable[[Sequence[str], int], dict[str, object] | None]
"""From the subgoals' names and the number of transitions to the answer's JSON schema; None where
the answer's form is not enforced."""


@dataclass(frozen=True)
class Form:
    """One way to ask about transitions and to read the answer."""

    name: str
    templates: tuple[str, ...]
    """Files in calm/asking/prompts, without `.j2`, that ask in this form; the first is its own."""
    schema: Schema
    read: Reader
    """From a reply, the subgoals' names and the transitions' ids to what was said of each."""
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What every request of this form says beside the sampling parameters."""

    @property
    def template(self) -> str:
        """The template that this form asks with unless another of its own is named."""
        return self.templates[0]


def booleans_schema(names: Sequence[str], n: int) -> dict[str, object]:
    """Returns the schema of one boolean a name; with n > 1, of one such object a transition id."""

    def closed(properties: Mapping[str, object]) -> dict[str, object]:
        return {
            "type": "object",
            "properties": dict(properties),
            "required": list(properties),
            "additionalProperties": False,
        }

    one = closed({name: {"type": "boolean"} for name in names})
    return one if n == 1 else closed(dict.fromkeys(transition_ids(n), one))


def transition_ids(n: int) -> list[str]:
    """Returns the ids of n transitions in one prompt: `t1`, `t2`, ..."""
    return [f"t{i}" for i in range(1, n + 1)]


BOOLEANS = Form("booleans", ("judge-v1", "judge-norole-v1"), booleans_schema, read_booleans)
"""One JSON object: each subgoal's name with true or false; of several transitions, such an object
by each one's id."""

FORMS: Mapping[str, Form] = MappingProxyType({form.name: form for form in (BOOLEANS,)})
"""The forms there are, by name."""


def form_named(name: str) -> Form:
    """Returns the form of a name.

    Raises:
        UsageError: there is none; lists those there are.
    """
    if name not in FORMS:
        raise unknown("form of answer", name, FORMS)
    return FORMS[name]


def form_of(template: str) -> Form:
    """Returns the form that a template asks in; `booleans` for one that is not known any more."""
    return next((form for form in FORMS.values() if template in form.templates), BOOLEANS)
