"""Reads a model's answer strictly into verdict classes; never evaluates it, never guesses.

An answer is one JSON object that holds every subgoal asked about and nothing else, each with a
boolean. Everything else is unreadable, with a reason, and unreadable is never "no". What a server
leaves around an answer (a thought that has ended, the marks of a turn, invisible characters) is not
the answer's and is passed over.

On request small faults of form (a code fence, words around the object, a trailing comma, Python's
`True`) are mended and the answer is marked `repaired`; faults of content (a missing or extra
subgoal, a value that is no boolean, a key given twice) never are. Nor is anything mended that may
be a draft: an object in a thought, one of several objects, or one that the next words take back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calm.endpoint.envelope import CUT, Reply, plain_finish
from calm.records import Verdict

_TAGS = "|".join(
    [
        "think",
        "thinking",
        "thought",
        "thoughts",
        "reason",
        "reasoning",
        "analysis",
        "reflection",
        "scratchpad",
        "seed:think",
        "begin_of_thought",
    ]
)
_THOUGHT_BEGINS = re.compile(
    rf"<\s*(?:{_TAGS})(?:\s[^<>]*)?>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|START_THINKING)\|>"
    r"|<\|channel\|>\s*(?:analysis|commentary)|<unused94>",
    re.IGNORECASE,
)
_THOUGHT_ENDS = re.compile(
    rf"<\s*/\s*(?:{_TAGS})\s*>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING)\|>"
    r"|<\|channel\|>\s*final(?:\s*<\|constrain\|>\s*\w+)?\s*<\|message\|>|<unused95>",
    re.IGNORECASE,
)
_BLANK = "[\\s\ufeff\u200b-\u200d\u2060\0]"
_MARK = r"<\|\w{1,40}\|>|<｜[^｜<>]{1,40}｜>|</?s>|<eos>|<bos>|<(?:start|end)_of_turn>|\[/?INST\]"
_BEFORE = re.compile(
    rf"\A(?:{_BLANK}|(?!{_THOUGHT_BEGINS.pattern})(?:{_MARK})(?:\s*(?:assistant|model)\b)?)+",
    re.IGNORECASE,
)
_LAST_MARK = re.compile(rf"(?:{_MARK})\Z")
_LONGEST_MARK = 50  # characters
_BLANKS = "".join(c for c in map(chr, range(0x10000)) if re.match(_BLANK, c))
_NEAR = 300  # characters around an object whose words are weighed
_LIST = re.compile(r"\[\s*[{\"]")
_STRING = r'"(?:[^"\\]|\\.)*"'
_WORDS = {"True": "true", "False": "false"}
_MENDABLE = re.compile(rf"{_STRING}|,(?=\s*[}}\]])|\bTrue\b|\bFalse\b|[\u00a0\u202f\ufeff\u200b]")
_DRAFT = re.compile(
    r"\b(?:guess|draft|example|e\.g\.|for instance|tentative\w*|first thought|would (?:be|say)"
    r"|initial\w*|such as|wrong|incorrect|if\b[^.!?\n]*\b(?:had|were|would))\b[^.!?\n]*[.:]?[\s`]*"
    r"(?:json\s*)?\Z|\bnot:?[\s`]*(?:json\s*)?\Z|~~\s*\Z",
    re.IGNORECASE,
)
_RETRACTED = re.compile(
    r"(?:\A|[.!?\n])[\s`*_-]*(?:no|not|nope|wait|but|hmm+|actually|however|correction|sorry|oops"
    r"|scratch that|on second thoughts?|never ?mind|that(?:'s| is| was)? (?:wrong|not|incorrect)"
    r"|let me (?:re|correct|check))\b"
    r"|\b(?:wrong|incorrect|should (?:be|have been)|corrected|on reflection|on second thoughts?"
    r"|reconsider\w*|final answer|final verdict)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one answer about one transition was read as."""

    verdict: Verdict
    achieved: Mapping[str, bool] = field(default_factory=dict)
    reason: str = ""


class Unreadable(Exception):
    """Why an answer can't be read."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [k for k, _ in pairs]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        raise Unreadable(f"given twice: {', '.join(twice)}")
    return value


def _constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON")


def read_json(text: str) -> Any:
    """Returns the JSON value of a text, with keys given twice refused.

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


def strip_marks(text: str) -> str:
    """Returns a text without blanks, invisible characters and marks of a turn at its ends."""
    text = _BEFORE.sub("", text).rstrip(_BLANKS)
    while mark := _LAST_MARK.search(text, max(0, len(text) - _LONGEST_MARK)):
        text = text[: mark.start()].rstrip(_BLANKS)
    return text


def after_thought(text: str) -> str:
    """Returns what stands after the last end of a thought; all of the text where none ends.

    >>> after_thought('<think>Perhaps {"take": true}?</think> {"take": false}<|im_end|>')
    '{"take": false}'
    """
    ends = [match.end() for match in _THOUGHT_ENDS.finditer(text)]
    return strip_marks(text[ends[-1] :] if ends else text)


def _bracketed(text: str) -> list[tuple[int, int]]:
    """Returns where each outermost part in braces (or in brackets around braces) begins and ends.

    One that never closes reaches to the end of the text.
    """
    parts = []
    depth = start = 0
    quoted = False
    at = 0
    while at < len(text):
        letter = text[at]
        if depth and quoted:
            at += letter == "\\"
            quoted = letter != '"'
        elif depth:
            quoted = letter == '"'
            depth += (letter in "{[") - (letter in "}]")
            if depth == 0:
                parts.append((start, at + 1))
        elif letter == "{" or (letter == "[" and _LIST.match(text, at)):
            depth, start = 1, at
        at += 1
    return [*parts, (start, len(text))] if depth else parts


def _only_object(text: str) -> str:
    """Returns the one part of a text that can be meant as its JSON object.

    Raises:
        Unreadable: there is none, more than one, or it may be a draft.
    """
    if _THOUGHT_BEGINS.search(text):
        raise Unreadable("a thought that does not end")
    meant = [(a, b) for a, b in _bracketed(text) if ":" in text[a:b] or not text[a + 1 : b - 1]]
    if not meant:
        raise Unreadable("not JSON: no object")
    if len(meant) > 1:
        raise Unreadable(f"not JSON: {len(meant)} objects could be meant")
    begin, end = meant[0]
    if _DRAFT.search(text[:begin][-_NEAR:]) or _RETRACTED.search(text[end:]):
        raise Unreadable("not JSON: the words around the object say that it is a draft")
    return text[begin:end]


def mend(text: str) -> str:
    """Returns the one object of a text with small faults of form removed.

    These are a fence, surrounding words, trailing commas, odd blanks, and Python's True and False.

    Raises:
        Unreadable: which object is meant can't be told.
    """
    return _MENDABLE.sub(
        lambda m: m[0] if m[0].startswith('"') else _WORDS.get(m[0], "" if m[0] == "," else " "),
        _only_object(text),
    )


def read_object(text: str, *, repair: bool = False) -> tuple[dict[str, Any], str]:
    """Returns the JSON object that an answer is, and what was mended ("" if nothing).

    Raises:
        Unreadable: it is no JSON object, mended or not.
    """
    mended = ""
    try:
        value = read_json(strip_marks(text))
    except Unreadable:
        text = after_thought(text)
        try:
            value = read_json(text)
        except Unreadable as error:
            if not repair:
                raise
            value, mended = read_json(mend(text)), str(error)
    if not isinstance(value, dict):
        raise Unreadable(f"a JSON {type(value).__name__} where an object was asked for")
    return value, mended


def read_answer_object(reply: Reply, *, repair: bool = False) -> tuple[dict[str, Any], str]:
    """Returns the JSON object in a reply's text, and how it was mended; see `read_object`.

    Where the text is a thought that came without an answer nothing in it is mended, but for what
    follows an end of the thought: some servers put a whole answer there, others a draft.

    Raises:
        Unreadable: it is no JSON object, mended or not.
    """
    ended = _THOUGHT_ENDS.search(reply.text) is not None
    return read_object(reply.text, repair=repair and (ended or not reply.is_thought))


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


def _listed(value: object, names: Sequence[str]) -> dict[str, bool]:
    listed = value.get("achieved") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(listed, list):
        raise Unreadable("no list under `achieved` alone")
    if len(listed) != len(names):
        raise Unreadable(f"{len(listed)} values for {len(names)} subgoals")
    return _booleans(dict(zip(names, listed, strict=True)), names)


def _explained(value: object, names: Sequence[str]) -> dict[str, bool]:
    if not isinstance(value, dict) or not isinstance(value.get("happened"), str):
        raise Unreadable("no text under `happened`")
    return _booleans({k: v for k, v in value.items() if k != "happened"}, names)


def read_booleans(
    reply: Reply, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """Returns what a reply says about each transition asked about, in the order of `ids`.

    With one id the answer is that transition's object; with more it is an object of such objects
    by id. A transition that the answer leaves out is `invalid`; the others still count.
    """
    return _read_objects(reply, names, ids, repair, _booleans)


def read_array(
    reply: Reply, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """Reads an answer that lists the booleans in the subgoals' order; see `read_booleans`."""
    return _read_objects(reply, names, ids, repair, _listed)


def read_explained(
    reply: Reply, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """Reads an answer that first says, under "happened", what happened; see `read_booleans`."""
    return _read_objects(reply, names, ids, repair, _explained)


def _read_objects(
    reply: Reply,
    names: Sequence[str],
    ids: Sequence[str],
    repair: bool,
    read_one: Callable[[object, Sequence[str]], dict[str, bool]],
) -> list[Parsed]:
    try:
        value, mended = read_answer_object(reply, repair=repair)
    except Unreadable as error:
        return [Parsed(Verdict.INVALID, reason=str(error))] * len(ids)
    by_id = {ids[0]: value} if len(ids) == 1 else value
    verdict = Verdict.REPAIRED if mended else Verdict.OK
    parsed = []
    for id in ids:
        try:
            if id not in by_id:
                raise Unreadable(f"the answer leaves out {id}")
            parsed.append(Parsed(verdict, read_one(by_id[id], names), mended))
        except Unreadable as error:
            parsed.append(Parsed(Verdict.INVALID, reason=str(error)))
    return parsed


def parse(
    text: str, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """Reads a text as an answer; see `read_booleans`."""
    return read_booleans(Reply(text), names, ids, repair=repair)


Reader = Callable[..., list[Parsed]]
"""Reads an answer of one form, as `read_booleans` does: (reply, names, ids, repair=...)."""

_FILTERED = frozenset(
    [
        "content_filter",
        "content_filtered",
        "contentfilter",
        "safety",
        "sensitive",
        "recitation",
        "blocklist",
        "blocked",
        "prohibited_content",
        "spii",
        "image_safety",
        "language",
        "guardrail",
        "guardrail_intervened",
    ]
)


def read_reply(
    reply: Reply,
    names: Sequence[str],
    ids: Sequence[str] = ("t1",),
    *,
    repair: bool = False,
    cap: int | None = None,
    read: Reader = read_booleans,
) -> list[Parsed]:
    """Returns how a reply is read: what its envelope says comes first, then the form's own reader.

    Args:
        cap: most tokens that the answer could have; one that is cut there is `truncated`, whatever
            the reason that the endpoint gives.
        read: the reader of the form in which it was asked.
    """
    finish = plain_finish(reply.finish)
    if reply.refusal:
        return [Parsed(Verdict.REFUSED, reason=reply.refusal[:500])] * len(ids)
    if finish in _FILTERED:
        return [Parsed(Verdict.FILTERED, reason="cut by the endpoint's content filter")] * len(ids)
    # Cut by the token limit, or cut with no word why: a whole answer may still be there.
    cut = finish in CUT or reply.finish is None
    parsed = read(reply, names, ids, repair=repair and not cut)
    if any(p.verdict.readable for p in parsed):
        return parsed
    if finish == "refusal":
        return [Parsed(Verdict.REFUSED, reason=reply.text[:500] or "the model declined")] * len(ids)
    at_cap = cap is not None and reply.usage.completion_tokens >= cap and not _is_whole(reply.text)
    if cut or at_cap:
        limit = "no stated reason" if reply.finish is None else "the token limit"
        return [Parsed(Verdict.TRUNCATED, reason=f"cut by {limit}: {p.reason}") for p in parsed]
    return parsed


def _is_whole(text: str) -> bool:
    """Returns whether an answer is JSON to its end, whatever it says."""
    try:
        read_json(after_thought(text))
    except Unreadable as error:
        return str(error).startswith("given twice")
    return True
