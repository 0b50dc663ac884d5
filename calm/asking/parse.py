"""Reads a model's answer strictly into verdict classes; never evaluates it, never guesses.

An answer is one JSON object that holds every subgoal asked about and nothing else, each with a
boolean. Everything else is unreadable, with a reason, and unreadable is never "no". On request
small faults of form (a code fence, words around the object, a trailing comma, Python's `True`) are
mended and the answer is marked `repaired`; faults of content (a missing or extra subgoal, a value
that is no boolean, a key given twice) never are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calm.endpoint.envelope import Reply
from calm.records import Verdict

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)
_STRING = r'"(?:[^"\\]|\\.)*"'
_WORDS = {"True": "true", "False": "false"}
_MENDABLE = re.compile(rf"{_STRING}|,(?=\s*[}}\]])|\bTrue\b|\bFalse\b")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one answer about one transition was read as."""

    verdict: Verdict
    achieved: Mapping[str, bool] = field(default_factory=dict)
    reason: str = ""


class Unreadable(Exception):
    """Why an answer can't be read."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [k for k, _ in pairs]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        raise Unreadable(f"given twice: {', '.join(twice)}")
    return found


def _constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON")


def read_json(text: str) -> Any:
    """The JSON value of a text, with keys given twice refused.

    Raises:
        Unreadable: it is not JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        what = "empty" if not text.strip() else f"not JSON: {error.msg} at character {error.pos}"
        raise Unreadable(what) from None
    except (RecursionError, ValueError) as error:  # nested or numbers beyond reason
        raise Unreadable(f"not JSON: {error}") from None


def mend(text: str) -> str:
    """The text with small faults of form removed: fence, surrounding words, commas, True/False."""
    if fences := _FENCE.findall(text):
        text = fences[-1]
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        text = text[start : end + 1]
    return _MENDABLE.sub(
        lambda m: m[0] if m[0].startswith('"') else _WORDS.get(m[0], ""),
        text,
    )


def read_object(text: str, *, repair: bool = False) -> tuple[dict[str, Any], str]:
    """The JSON object that a text is, and what was mended ("" if nothing).

    A leading `<think>...</think>` block is the server's, not the answer's, and is passed over.

    Raises:
        Unreadable: it is no JSON object, mended or not.
    """
    text = _THOUGHT.sub("", text)
    mended = ""
    try:
        value = read_json(text)
    except Unreadable as error:
        if not repair:
            raise
        value, mended = read_json(mend(text)), str(error)
    if not isinstance(value, dict):
        raise Unreadable(f"a JSON {type(value).__name__} where an object was asked for")
    return value, mended


def _booleans(value: object, names: Sequence[str]) -> dict[str, bool]:
    if not isinstance(value, dict):
        raise Unreadable(f"a {type(value).__name__} where an object of booleans was asked for")
    if missing := [n for n in names if n not in value]:
        raise Unreadable(f"missing: {', '.join(missing)}")
    if extra := [k for k in value if k not in names]:
        raise Unreadable(f"not asked for: {', '.join(map(str, extra))[:200]}")
    if wrong := [n for n in names if not isinstance(value[n], bool)]:
        raise Unreadable(f"not a boolean: {', '.join(wrong)}")
    return {n: value[n] for n in names}


def parse(
    text: str, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """What an answer says about each transition asked about, in the order of `ids`.

    With one id the answer is that transition's object; with more it is an object of such objects
    by id. A transition that the answer leaves out is `invalid`; the others still count.
    """
    try:
        value, mended = read_object(text, repair=repair)
    except Unreadable as error:
        return [Parsed(Verdict.INVALID, reason=str(error))] * len(ids)
    found = {ids[0]: value} if len(ids) == 1 else value
    verdict = Verdict.REPAIRED if mended else Verdict.OK
    parsed = []
    for id in ids:
        try:
            if id not in found:
                raise Unreadable(f"the answer leaves out {id}")
            parsed.append(Parsed(verdict, _booleans(found[id], names), mended))
        except Unreadable as error:
            parsed.append(Parsed(Verdict.INVALID, reason=str(error)))
    return parsed


def read_reply(
    reply: Reply, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """`parse` of an endpoint's reply: what the envelope says about it comes first."""
    if reply.refusal:
        return [Parsed(Verdict.REFUSED, reason=reply.refusal[:500])] * len(ids)
    if reply.finish == "content_filter":
        return [Parsed(Verdict.FILTERED, reason="cut by the endpoint's content filter")] * len(ids)
    # Cut by the token limit, or cut with no word why: a whole answer may still be there.
    cut = reply.finish in ("length", None)
    parsed = parse(reply.text, names, ids, repair=repair and not cut)
    if cut and not any(p.verdict.readable for p in parsed):
        limit = "the token limit" if reply.finish == "length" else "no stated reason"
        return [Parsed(Verdict.TRUNCATED, reason=f"cut by {limit}: {p.reason}") for p in parsed]
    return parsed
