"""Reads an answer that is one word, yes or no, with the odds of both where the endpoint lists them.

The model is cut after its first token, so how sure it was counts, not what it would have gone on
to say. Odds that hardly speak of either word are no answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from calm.asking.parse import Parsed, after_thought
from calm.endpoint.envelope import Reply, TokenOdds
from calm.records import Verdict

YES, NO = ("yes", "true"), ("no", "false")
_LEAST = 0.1  # share of the odds that yes and no must have together


def _begins(text: str, words: Sequence[str]) -> bool:
    word = text.strip().lower().lstrip(":\"'*([").rstrip(".,!:\"'*)]}")
    return bool(word) and any(w.startswith(word) for w in words)


def yes_and_no(token: TokenOdds) -> tuple[float, float]:
    """Returns the probabilities of yes and of no at one token, as far as they are listed."""
    alternatives = {token.token: token.logprob, **token.top}
    yes = sum(math.exp(p) for text, p in alternatives.items() if _begins(text, YES))
    no = sum(math.exp(p) for text, p in alternatives.items() if _begins(text, NO))
    return min(yes, 1.0), min(no, 1.0)


def first_odds(reply: Reply) -> float | None:
    """Returns P(yes) among yes and no at the first token; None where it speaks of neither."""
    if not reply.odds:
        return None
    yes, no = yes_and_no(reply.odds[0])
    return yes / (yes + no) if yes + no >= _LEAST else None


def read_first_word(
    reply: Reply, names: Sequence[str], ids: Sequence[str] = ("t1",), *, repair: bool = False
) -> list[Parsed]:
    """Returns what a reply of one word says of the one name asked about.

    Args:
        names: one.
        repair: nothing can be mended; taken as every reader takes it.
    """
    (name,) = names
    if reply.odds:
        if (p := first_odds(reply)) is not None:
            return [Parsed(Verdict.OK, {name: p > 0.5})] * len(ids)
    else:
        words = after_thought(reply.text).split()
        if words and _begins(words[0], YES):
            return [Parsed(Verdict.OK, {name: True})] * len(ids)
        if words and _begins(words[0], NO):
            return [Parsed(Verdict.OK, {name: False})] * len(ids)
    reason = f"neither yes nor no: {reply.text[:80]!r}"
    return [Parsed(Verdict.INVALID, reason=reason)] * len(ids)
