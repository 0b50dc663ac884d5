"""How sure a judge is: from the log-probabilities of its answer, or from the votes of samples.

From log-probabilities: at the token where a subgoal's value begins, P(yes) = p(true) / (p(true) +
p(false)) over the alternatives the endpoint lists. Whether an endpoint lists them before or after
its schema masks tokens is for `calm probe` and the reader to judge; votes have no such question.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from calm.asking.first_token import first_odds
from calm.endpoint.envelope import Reply, TokenOdds
from calm.records import Verdict


def _value_starts(text: str, names: Sequence[str]) -> dict[str, int] | None:
    """Returns where each subgoal's value begins in an answer; None unless each is there once."""
    starts = {}
    for name in names:
        forms = {json.dumps(name, ensure_ascii=False), json.dumps(name)}
        pattern = "|".join(map(re.escape, sorted(forms)))
        values = list(re.finditer(rf"(?:{pattern})\s*:\s*(?=true|false)", text))
        if len(values) != 1:
            return None
        starts[name] = values[0].end()
    return starts


def _yes(token: TokenOdds) -> float | None:
    """Returns P(true) among true and false at one token; None if it says nothing of either."""
    yes = no = 0.0
    for text, logprob in {token.token: token.logprob, **token.top}.items():
        if not logprob <= 1.0:  # kept from a server that says nonsense, NaN among it
            return None
        word = text.strip().lower().lstrip(':" ')
        if word and "true".startswith(word):
            yes += math.exp(logprob)
        elif word and "false".startswith(word):
            no += math.exp(logprob)
    return yes / (yes + no) if yes + no > 0 else None


def from_odds(reply: Reply, names: Sequence[str]) -> tuple[float, ...] | None:
    """Returns P(yes) of each subgoal in an answer about one transition; None if unknown."""
    if not reply.odds or (starts := _value_starts(reply.text, names)) is None:
        return None
    ends, at = [], 0
    for token in reply.odds:
        at += len(token.token)
        ends.append(at)
    if at != len(reply.text):  # tokens of a thought, or bytes cut in a token
        return None
    confidence = []
    for name in names:
        first = next(i for i, end in enumerate(ends) if end > starts[name])
        if (p := _yes(reply.odds[first])) is None:
            return None
        confidence.append(p)
    return tuple(confidence)


def from_first_token(reply: Reply, names: Sequence[str]) -> tuple[float, ...] | None:
    """Returns P(yes) of an answer that is one word; None where the endpoint lists no odds."""
    p = first_odds(reply)
    return None if p is None else (p,)


def vote(
    rows: Sequence[Sequence[int]], verdicts: Sequence[Verdict]
) -> tuple[Verdict, tuple[int, ...], tuple[float, ...]]:
    """Returns what several samples say together: a verdict, 1 or 0 a subgoal, and the share of yes.

    Yes needs more than half of the readable samples. If fewer than half of all samples are
    readable, none is believed: the verdict is the commonest of the unreadable ones.

    Args:
        rows: (N, G) 1 or 0, empty where unreadable.
        verdicts: (N,)
    """
    readable = [row for row, v in zip(rows, verdicts, strict=True) if v.readable]
    if 2 * len(readable) < len(verdicts) or not readable:
        others = [v for v in verdicts if not v.readable]
        return max(others, key=others.count), (), ()
    shares = tuple(sum(column) / len(readable) for column in zip(*readable, strict=True))
    mended = Verdict.REPAIRED in verdicts
    verdict = Verdict.REPAIRED if mended else Verdict.OK
    return verdict, tuple(int(share > 0.5) for share in shares), shares
