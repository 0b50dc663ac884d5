"""Judgements of a store as plain values for JSON: in a list, and in full with prompt and answer.

What a model, a game or an endpoint wrote is shown without control characters, and cut.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from agents.watch.judgement_filter import UNREAD, answers_of
from agents.watch.opened_store import OpenedStore
from agents.watch.sent_prompts import NOT_KNOWN, SentPrompts
from agents.watch.truths import SOURCES, KnownTruths
from calm.store.tables.browsing import JudgementWords
from calm.text import clean

LONGEST = 20_000
"""Characters of a prompt or an answer that are shown."""
SHORT = 600
"""The same in a list."""


class JudgementRows:
    """Makes the rows of a page.

    Args:
        truths: what is known of descriptions.
        prompts: makes prompts again.
    """

    def __init__(self, truths: KnownTruths, prompts: SentPrompts) -> None:
        self._truths, self._prompts = truths, prompts

    def row(self, opened: OpenedStore, words: JudgementWords) -> dict[str, Any]:
        """Returns a judgement as a list shows it."""
        context = opened.contexts[words.context]
        names = opened.names[words.context]
        answers = answers_of(words.achieved, names)
        shares = {s: self._truths.shares(s, context.task, words.text) for s in SOURCES}
        return {
            "key": words.key.hex(),
            "at": time_of(words.started),
            "task": context.task,
            "model": context.model,
            "mode": context.mode,
            "template": context.template,
            "sample": words.sample,
            "verdict": words.verdict or UNREAD,
            "reason": shown(words.reason, SHORT),
            "answers": answers,
            "about": list(names),
            "text": shown(words.text, SHORT),
            "raw": shown(words.raw, SHORT),
            "truth": {
                source: {name: list(share) for name, share in known.items() if name in names}
                for source, known in shares.items()
                if known
            },
            "differs": [
                source
                for source, known in shares.items()
                if any(name in known and known[name].denies(yes) for name, yes in answers.items())
            ],
        }

    def in_full(self, opened: OpenedStore, words: JudgementWords) -> dict[str, Any]:
        """Returns a judgement with all its words, and the prompt as it was sent."""
        context = opened.contexts[words.context]
        sent = self._prompts.of(context, words.text, opened.store.subgoal_sets().values())
        names = opened.names[words.context]
        confidence = json.loads(words.confidence) if words.confidence else []
        return self.row(opened, words) | {
            "text": shown(words.text, LONGEST),
            "prompt": shown(sent.text, LONGEST) if sent else "",
            "prefill": shown(sent.prefill, LONGEST) if sent else "",
            "prompt_note": _note(words) if sent else NOT_KNOWN,
            "raw": shown(words.raw, LONGEST),
            "message": shown(words.message, LONGEST),
            "finish": words.finish or "",
            "refusal": shown(words.refusal, LONGEST),
            "confidence": dict(zip(names, confidence, strict=False)),
            "endpoint": words.endpoint,
            "served_by": shown(words.served_by, SHORT),
            "prompt_tokens": words.prompt_tokens,
            "completion_tokens": words.completion_tokens,
            "seconds": words.seconds,
            "cost": words.cost,
            "params": context.params,
            "prompt_hash": context.prompt[:12],
        }


def _note(words: JudgementWords) -> str:
    """Returns what is to be said of a prompt that was made again."""
    if words.items <= 1:
        return ""
    return (
        f"Asked together with {words.items - 1} others in one request; here as it would be sent"
        " alone, with the whole answer below."
    )


def shown(text: str, longest: int) -> str:
    """Returns untrusted text as it may be shown: no control characters, and no more than that."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more)"


def time_of(seconds: float) -> str:
    """Returns a time, seconds since 1970, in UTC and in the form of ISO 8601; "" for 0."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
