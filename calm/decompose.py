"""Asks a model for a task's subgoals, checks what it names, and keeps lists of subgoals.

A list is named by the hash of its content, which is part of every answer's key. It can be written
to a YAML file, edited by hand, and given to any command that takes `--subgoals`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from calm.asking.envelope import Reply
from calm.asking.parse import Unreadable, read_object
from calm.asking.prompt import DECOMPOSE_TEMPLATE, clean, decompose_prompt
from calm.asking.question import Call, Context, Question, Settled
from calm.endpoint.faults import RowFault
from calm.errors import CalmError, UsageError
from calm.judges.openai import OpenAIJudge
from calm.judges.protocol import Judge
from calm.records import Subgoal, Task, Verdict, subgoals_hash
from calm.store.store import Store

LEAST, MOST = 2, 8
_COMPOUND = re.compile(r"\b(?:and|or|then|while|after|before)\b|[,;/&+]", re.IGNORECASE)
_SCHEMA = {
    "type": "object",
    "properties": {
        "subgoals": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "definition": {"type": "string"}},
                "required": ["name", "definition"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["subgoals"],
    "additionalProperties": False,
}


def check_subgoals(value: object) -> tuple[Subgoal, ...]:
    """The subgoals in a list of `{name, definition}`: 2 to 8, distinct, none compound.

    Raises:
        UsageError: says which subgoal fails and how.
    """
    if not isinstance(value, list) or not LEAST <= len(value) <= MOST:
        size = len(value) if isinstance(value, list) else "no list"
        raise UsageError(f"a list of {LEAST} to {MOST} subgoals is needed, got {size}")
    subgoals = []
    for i, item in enumerate(value, 1):
        if not isinstance(item, dict) or set(item) != {"name", "definition"}:
            raise UsageError(f"subgoal {i} must have a name and a definition, and nothing else")
        if not all(isinstance(v, str) and v.strip() for v in item.values()):
            raise UsageError(f"subgoal {i}: name and definition must be text, not empty")
        subgoals.append(_one(i, item["name"].strip(), item["definition"].strip()))
    names = [re.sub(r"\W+", " ", s.name).casefold().strip() for s in subgoals]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise UsageError(f"subgoals must differ; named twice: {', '.join(twice)}")
    return tuple(subgoals)


def _one(i: int, name: str, definition: str) -> Subgoal:
    name = name.rstrip(".")
    if clean(name) != name or "\n" in name or len(name) > 80 or len(name.split()) > 12:
        raise UsageError(f"subgoal {i}: the name must be one short line, got {name[:100]!r}")
    if found := _COMPOUND.search(name):
        raise UsageError(f"subgoal {i} names more than one thing ({found[0]!r}): {name!r}")
    sentences = [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", definition) if s]
    if len(sentences) != 1 or len(definition) > 400:
        raise UsageError(f"subgoal {i}: the definition of {name!r} must be one sentence")
    return Subgoal(name, clean(definition))


def decompose(
    task: Task, judge: Judge, store: Store | None = None, *, tries: int = 3
) -> tuple[Subgoal, ...]:
    """A task's subgoals as a model names them, in their usual order; asked once, then kept.

    A judge that is no model (rules, replay, trivial) gets the task's given subgoals.

    Args:
        store: None for the judge's own.
        tries: answers asked for before giving up, each a new sample.

    Raises:
        UsageError: a judge without a model has no given subgoals.
        CalmError: no answer was usable.
    """
    if not isinstance(judge, OpenAIJudge):
        if not task.subgoals:
            raise UsageError(
                f"{task.id} has no given subgoals and {judge.name} can't name any:"
                " use a model (local:MODEL, openai:MODEL) or a file (--subgoals FILE)"
            )
        return task.subgoals
    store = store or judge.store
    prompt, template_hash = decompose_prompt(task, LEAST, MOST)
    problem = ""
    for sample in range(tries):
        # The first answer is the likeliest one; another try must be able to differ.
        params = judge.params | {"temperature": 0 if sample == 0 else 0.7}
        for name in ("logprobs", "top_logprobs", "per_request"):
            params.pop(name, None)
        context = Context(
            task.id,
            (),
            judge.model,
            template=DECOMPOSE_TEMPLATE,
            prompt=template_hash,
            params=params,
            kind="decompose",
        )
        reply = _reply(judge, store, context, prompt, sample)
        try:
            subgoals = _read(reply)
        except UsageError as error:
            problem = str(error)
            continue
        store.keep_subgoals(task.id, subgoals, judge.name)
        return subgoals
    raise CalmError(
        f"{judge.name} named no usable subgoals for {task.id} in {tries} answers; the last:"
        f" {problem}. Use the given ones (--subgoals given), write a file, or try another model"
    )


def _reply(judge: OpenAIJudge, store: Store, context: Context, prompt: str, sample: int) -> Reply:
    question = Question(context.key(prompt, sample), prompt, sample)
    found = store.answers([question.key])
    if question.key in found:
        return found[question.key].reply

    def failed(call: Call) -> None:
        store.record(context, judge.endpoint.address, call)

    try:
        call = judge.run(
            judge.endpoint.ask(prompt, context.params, schema=_SCHEMA, on_failure=failed)
        )
    except RowFault as fault:
        raise CalmError(f"{judge.name} can't be asked for subgoals: {fault}") from None
    store.record(context, judge.endpoint.address, call, [question])
    assert call.reply is not None
    try:
        _read(call.reply)
        settled = Settled(question.key, Verdict.OK)
    except UsageError as error:
        settled = Settled(question.key, Verdict.INVALID, reason=str(error))
    store.settle([settled])
    return call.reply


def _read(reply: Reply) -> tuple[Subgoal, ...]:
    if reply.refusal:
        raise UsageError(f"the model declined: {reply.refusal[:200]}")
    try:
        value, _ = read_object(reply.text, repair=True)  # people look at these before use
    except Unreadable as error:
        raise UsageError(f"the answer is {error}") from None
    return check_subgoals(value.get("subgoals"))


def write_subgoals(path: Path, task: str, subgoals: Sequence[Subgoal]) -> None:
    """Writes a list of subgoals for a person to edit: JSON to a `.json` file, else YAML."""
    listed = [{"name": s.name, "definition": s.definition} for s in subgoals]
    content = {"task": task, "subgoals": listed}
    if path.suffix == ".json":
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path.write_text(text, "utf-8")


def read_subgoals(path: Path) -> tuple[Subgoal, ...]:
    """The subgoals in a YAML or JSON file, checked as a model's are.

    The file holds a list of name and definition, or a mapping with such a list as `subgoals`.

    Raises:
        UsageError: it can't be read; the message names the field.
    """
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"can't read the subgoals in {path}: {error}") from None
    if isinstance(value, dict):
        if "subgoals" not in value:
            raise UsageError(f"{path} has no field `subgoals`: a list of name and definition")
        value = value["subgoals"]
    try:
        return check_subgoals(value)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def find_subgoals(spec: str, task: Task, store: Store | None = None) -> tuple[Subgoal, ...]:
    """The subgoals that `--subgoals` names: `given`, a file, or the start of a stored hash.

    Raises:
        UsageError: there are none under that name.
    """
    if spec == "given":
        if not task.subgoals:
            raise UsageError(f"{task.id} has no given subgoals; run `calm decompose {task.id}`")
        return task.subgoals
    if Path(spec).is_file():
        return read_subgoals(Path(spec))
    kept = {} if store is None else store.subgoal_sets(task.id)
    if task.subgoals:
        kept.setdefault(subgoals_hash(task.subgoals), task.subgoals)
    found = [s for name, s in kept.items() if len(spec) >= 4 and name.startswith(spec)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(name[:12] for name in kept) or "none"
    raise UsageError(
        f"--subgoals {spec!r} is neither `given`, nor a file, nor the start of one stored list's"
        f" hash ({known})"
    )
