"""Forms of question and answer: how a model is asked about transitions, and how it is understood.

    booleans            one JSON object: each subgoal's name with true or false
    array               one JSON list of booleans, in the order of the subgoals
    explain             one JSON object: first what happened in words, then the booleans by name
    skeleton            a request a subgoal: the object of `booleans` is begun for the model up to
                        the subgoal's value, and the odds of true and false there are the answer
    statements          a request a statement (`Subgoal.statements`, else one made of the name): is
                        it true of the transition? The odds of yes and no are the answer
    statements-few-shot the same after a few fixed examples from another domain; never to be put
                        beside figures of forms without examples
    lines               a request a line of an `events` text and a statement: does this line say so?
                        A statement is true where one of the lines says so. Lines come again in text
                        after text, and tasks don't matter, so few questions answer very many steps
    lines-few-shot      the same after a few fixed examples from another domain

A form is a prompt template, a schema of the answer, a reader, and what a request needs beside the
sampling parameters. The template's hash and the request's parameters are part of every stored
answer's key, so answers of two forms are never mixed, and each is read by the form that asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from calm.asking.confidence import from_first_token, from_odds
from calm.asking.first_token import read_first_word
from calm.asking.parse import Reader, read_array, read_booleans, read_explained
from calm.endpoint.envelope import Reply
from calm.errors import UsageError, unknown
from calm.records import MODES, Mode, Subgoal, Task

Schema = Callable[[Sequence[str], int], dict[str, object] | None]
"""From the subgoals' names and the number of transitions to the answer's JSON schema; None where
the answer's form is not enforced."""
Confidence = Callable[[Reply, Sequence[str]], tuple[float, ...] | None]
"""From a reply about one transition and the subgoals' names to P(yes) of each; None if unknown."""


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
    confidence: Confidence = from_odds
    asks: Literal["list", "subgoal", "statement"] = "list"
    """What one request is about: all subgoals, one subgoal of the list, or one statement."""
    prefill: Callable[[Subgoal], str] = lambda subgoal: ""
    """From what one request is about to the beginning of the model's answer, "" for none. Servers
    go on with an unfinished answer (llama.cpp) or begin a new one (OpenAI's)."""
    pieces: Callable[[str], tuple[str, ...]] = lambda text: (text,)
    """From a description to the parts of it that are put to the model one at a time."""
    modes: tuple[Mode, ...] = MODES
    """The descriptions that it can be asked about."""
    any_task: bool = False
    """Whether nothing that is asked depends on the task, so that one answer is for all tasks."""

    @property
    def template(self) -> str:
        """Returns the template that this form asks with unless another of its own is named."""
        return self.templates[0]

    def items(self, subgoals: Sequence[Subgoal]) -> list[tuple[Subgoal, ...]]:
        """Returns what is asked in requests of their own: for each, the list it is about.

        >>> key = Subgoal("take the key", "The key is taken.", ("the key entered the inventory",))
        >>> [s.name for (s,) in FORMS["statements"].items([key])]
        ['the key entered the inventory']
        """
        if self.asks == "list":
            return [tuple(subgoals)]
        if self.asks == "subgoal":
            return [(subgoal,) for subgoal in subgoals]
        names = dict.fromkeys(name for s in subgoals for name in statements_of(s))
        return [(Subgoal(name, ""),) for name in names]

    def names(self, subgoal: Subgoal) -> tuple[str, ...]:
        """Returns the names of the items that must all be true for a subgoal to be achieved."""
        return statements_of(subgoal) if self.asks == "statement" else (subgoal.name,)

    def task(self, task: Task) -> Task:
        """Returns the task as it is named to the model and in the store: "" where any will do."""
        return Task("", "") if self.any_task else task

    def different_pieces(self, texts: Iterable[str]) -> list[str]:
        """Returns the different parts of texts that are asked about one at a time, in order."""
        return list(dict.fromkeys(piece for text in texts for piece in self.pieces(text)))

    def check_mode(self, mode: Mode) -> None:
        """Raises UsageError where transitions described in this mode can't be asked about."""
        if mode not in self.modes:
            raise UsageError(
                f"the form {self.name} asks about one line of a description at a time, so it takes"
                f" {', '.join(self.modes)}, not {mode}: a map's lines say nothing on their own"
            )


def statements_of(subgoal: Subgoal) -> tuple[str, ...]:
    """Returns what must be true of a step that achieves a subgoal, each in one clause."""
    return subgoal.statements or (f"the player achieved this: {subgoal.name}",)


_REMARK = re.compile(r" \([^()]*\)(?=\.?$)")


def lines_of(text: str) -> tuple[str, ...]:
    """Returns the different lines of a description, without a remark in brackets that ends one.

    Small models take what was so before for what happened, and such a line stands there for a
    change alone, so what was before is left out.

    >>> lines_of("The hero moved.\\nThe hero came next to the key (before: within 2 steps).")
    ('The hero moved.', 'The hero came next to the key.')
    """
    lines = (_REMARK.sub("", line.strip()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def _closed(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _by_id(one: dict[str, object], n: int) -> dict[str, object]:
    return one if n == 1 else _closed(dict.fromkeys(transition_ids(n), one))


def booleans_schema(names: Sequence[str], n: int) -> dict[str, object]:
    """Returns the schema of one boolean a name; with n > 1, of one such object a transition id."""
    return _by_id(_closed({name: {"type": "boolean"} for name in names}), n)


def array_schema(names: Sequence[str], n: int) -> dict[str, object]:
    """Returns the schema of one list of booleans, under "achieved"; with n > 1, by id."""
    size = len(names)
    listed = {"type": "array", "items": {"type": "boolean"}, "minItems": size, "maxItems": size}
    return _by_id(_closed({"achieved": listed}), n)


def explained_schema(names: Sequence[str], n: int) -> dict[str, object]:
    """Returns the schema of `booleans_schema` with what happened, in words, before the booleans."""
    properties: dict[str, object] = {"happened": {"type": "string", "maxLength": 400}}
    return _by_id(_closed(properties | {name: {"type": "boolean"} for name in names}), n)


def _no_schema(names: Sequence[str], n: int) -> None:
    """Returns None: nothing enforces an answer of one word."""


def transition_ids(n: int) -> list[str]:
    """Returns the ids of n transitions in one prompt: `t1`, `t2`, ..."""
    return [f"t{i}" for i in range(1, n + 1)]


_ONE_WORD = MappingProxyType({"max_tokens": 1, "logprobs": True, "top_logprobs": 20})

BOOLEANS = Form("booleans", ("judge-v1", "judge-norole-v1"), booleans_schema, read_booleans)
ARRAY = Form("array", ("judge-array-v1",), array_schema, read_array)
EXPLAIN = Form("explain", ("judge-explain-v1",), explained_schema, read_explained)
SKELETON = Form(
    "skeleton",
    ("judge-skeleton-v1",),
    _no_schema,
    read_first_word,
    _ONE_WORD,
    from_first_token,
    "subgoal",
    lambda subgoal: f"{{{json.dumps(subgoal.name, ensure_ascii=False)}:",
)
STATEMENTS = Form(
    "statements",
    ("statement-v1",),
    _no_schema,
    read_first_word,
    _ONE_WORD,
    from_first_token,
    "statement",
)
STATEMENTS_FEW_SHOT = Form(
    "statements-few-shot",
    ("statement-few-shot-v1",),
    _no_schema,
    read_first_word,
    _ONE_WORD,
    from_first_token,
    "statement",
    lambda subgoal: "Answer:",
)
LINES = replace(
    STATEMENTS,
    name="lines",
    templates=("line-v1",),
    pieces=lines_of,
    modes=("events",),
    any_task=True,
)
LINES_FEW_SHOT = replace(
    LINES,
    name="lines-few-shot",
    templates=("line-few-shot-v1",),
    prefill=STATEMENTS_FEW_SHOT.prefill,
)

_ALL = (
    BOOLEANS,
    ARRAY,
    EXPLAIN,
    SKELETON,
    STATEMENTS,
    STATEMENTS_FEW_SHOT,
    LINES,
    LINES_FEW_SHOT,
)
FORMS: Mapping[str, Form] = MappingProxyType({form.name: form for form in _ALL})
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
