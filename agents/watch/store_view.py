"""A store as the page shows it: what was asked and paid, the last answers, and all of them in turn.

The file is opened for reading alone, so that whoever writes it is neither held up nor noticed; and
no look at it reads more than a little, however large it is.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from agents.watch.judgement_filter import (
    CLASSES,
    UNREAD,
    JudgementFilter,
    answers_of,
    read_place,
    write_place,
)
from agents.watch.sent_prompts import NOT_KNOWN, SentPrompts
from agents.watch.truths import SOURCES, KnownTruths
from calm.asking.form import form_of
from calm.errors import StoreError
from calm.records import Verdict
from calm.store.store import Store
from calm.store.tables.browsing import CallTotals, JudgementOutline, JudgementWords, Place
from calm.store.tables.contexts import StoredContext, load_subgoals
from calm.text import clean

PAGE = 50
"""Judgements on a page."""
LAST = 8
"""Calls among the last ones."""
SPAN = 2_000
"""Texts that are looked at together."""
BLOCK = 2_000
"""Answers that are looked at together."""
FEW = 20_000
"""Answers that an index may be asked for at once."""
CALLS = 50_000
"""Calls that are summed up in one look."""
SECONDS = 0.5
"""That one page of judgements may take; whoever wants to see more asks on."""
LONGEST = 20_000
"""Characters of a prompt or an answer that are shown."""
SHORT = 600
"""The same in a list."""


@dataclass
class _Sums:
    """What was asked of one model so far."""

    attempts: int = 0
    failed: int = 0
    questions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0

    def add(self, totals: CallTotals) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(totals, name))


@dataclass
class _Opened:
    """An open store with what has been read of it so far."""

    store: Store
    file: tuple[int, int]
    """Device and inode."""
    contexts: dict[int, StoredContext] = field(default_factory=dict)
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Of the subgoals, by context."""
    sums: dict[str, _Sums] = field(default_factory=dict)
    """By model."""
    last_call: int = 0
    """Up to which calls are summed up."""
    last_change: int = -1
    """The store's change at which it was last looked at."""
    classes: list[tuple[int, str | None, int]] = field(default_factory=list)
    next_count: float = 0.0
    """When classes may be counted again."""


class StoreView:
    """Reads one store, again and again.

    Args:
        path: of the file.
        truths: what is known of descriptions.
        prompts: makes prompts again.
    """

    def __init__(self, path: Path, truths: KnownTruths, prompts: SentPrompts) -> None:
        self.path = path
        self._truths, self._prompts = truths, prompts
        self._opened: _Opened | None = None
        self._summary: dict[str, Any] = {}
        self._lock = RLock()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._opened is not None:
                self._opened.store.close()
                self._opened = None

    # --- what it holds, and what was asked last --------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Returns plain values for JSON: what was asked and paid, by model; classes; last calls.

        Where the file can't be read just now, `problem` says why.
        """
        with self._lock:
            try:
                self._look()
            except StoreError as error:
                self.close()
                self._summary = {"path": str(self.path), "problem": str(error)}
            except Exception as error:  # rows that hold something else than ours
                self.close()
                problem = f"{self.path} holds something else than answers: {clean(repr(error))}"
                self._summary = {"path": str(self.path), "problem": problem}
            return self._summary

    def _look(self) -> _Opened:
        """Brings the summary up to date; returns the open store."""
        opened = self._open()
        browsing = opened.store.tables.browsing
        asked_now = browsing.asked_now(time.time())
        change = browsing.change()
        end = browsing.last_call()
        if change == opened.last_change and opened.last_call >= end:
            self._summary |= {"asked_now": asked_now}
            return opened
        for context in browsing.contexts(max(opened.contexts, default=0)):
            opened.contexts[context.number] = context
            opened.names[context.number] = tuple(s.name for s in load_subgoals(context.subgoals))
        stop = min(end, opened.last_call + CALLS)
        for totals in browsing.totals_between(opened.last_call, stop):
            if (of := opened.contexts.get(totals.context)) is not None:
                opened.sums.setdefault(of.model, _Sums()).add(totals)
        opened.last_call = stop
        if time.monotonic() >= opened.next_count:
            start = time.thread_time()
            opened.classes = browsing.classes()
            taken = time.thread_time() - start
            opened.next_count = time.monotonic() + 20 * taken  # a twentieth of the time at most
            opened.last_change = change
        self._summary = {
            "path": str(self.path),
            "problem": "",
            "asked_now": asked_now,
            "calls": end,
            "calls_counted": stop,
            "models": {model: vars(sums) for model, sums in opened.sums.items()},
            "classes": self._classes(opened),
            "choices": self._choices(opened),
            "last": self._last(opened),
        }
        return opened

    def _open(self) -> _Opened:
        """Returns the open store; opens it anew where another file has taken its place."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreError(f"can't read the store {self.path}: {error.strerror}") from None
        file = (status.st_dev, status.st_ino)
        if self._opened is not None and self._opened.file != file:
            self.close()
        if self._opened is None:
            self._opened = _Opened(Store(self.path, readonly=True), file)
        return self._opened

    def _classes(self, opened: _Opened) -> list[dict[str, Any]]:
        """Returns the number of answers by task, model, description, form and verdict class."""
        counts: dict[tuple[str, str, str, str], Counter[str]] = {}
        for number, verdict, n in opened.classes:
            if (of := opened.contexts.get(number)) is not None:
                key = (of.task, of.model, of.mode, form_of(of.template).name)
                counts.setdefault(key, Counter())[verdict or UNREAD] += n
        order = [*(verdict.value for verdict in Verdict), UNREAD]
        return [
            {
                "task": task,
                "model": model,
                "mode": mode,
                "form": form,
                "answers": sum(verdicts.values()),
                "verdicts": {v: verdicts[v] for v in order if verdicts[v]},
            }
            for (task, model, mode, form), verdicts in sorted(counts.items())
        ]

    def _choices(self, opened: _Opened) -> dict[str, list[str]]:
        """Returns what a filter can be set to."""
        contexts = opened.contexts.values()
        subgoals = {name for names in opened.names.values() for name in names}
        return {
            "task": sorted({c.task for c in contexts if c.task}),
            "model": sorted({c.model for c in contexts}),
            "template": sorted({c.template for c in contexts}),
            "subgoal": sorted(subgoals),
            "verdict": list(CLASSES),
            "differs": list(self._truths.known({c.task for c in contexts})),
        }

    def _last(self, opened: _Opened) -> list[dict[str, Any]]:
        """Returns the last calls, each with the judgements that it brought, where these are found.

        One that failed brought none.
        """
        browsing = opened.store.tables.browsing
        calls = browsing.last_calls(LAST)
        by_context: dict[int, list[int]] = {}
        for call in calls:
            by_context.setdefault(call.context, []).append(call.number)
        keys: dict[int, list[bytes]] = {}
        for number, of_context in by_context.items():
            for key, call_number in browsing.of_calls(number, of_context, FEW, SPAN):
                keys.setdefault(call_number, []).append(key)
        words = browsing.words([key for some in keys.values() for key in some[:PAGE]])
        rows = []
        for call in calls:
            context = opened.contexts.get(call.context)
            if context is None:
                continue
            rows.append(
                {
                    "call": call.number,
                    "at": _time(call.started),
                    "seconds": call.seconds,
                    "outcome": call.outcome,
                    "detail": _shown(call.detail, SHORT),
                    "model": context.model,
                    "task": context.task,
                    "raw": _shown(call.raw, SHORT),
                    "judgements": [
                        self._row(opened, words[key])
                        for key in keys.get(call.number, ())
                        if key in words
                    ],
                }
            )
        return rows

    # --- all judgements, in turn -----------------------------------------------------------------

    def page(self, wanted: JudgementFilter, after: str = "") -> dict[str, Any]:
        """Returns judgements that fit, newest text first, and from where to ask on.

        Args:
            wanted: what they must be.
            after: from where, as a former page's `next` says; "" for the newest.

        Returns:
            Plain values for JSON. `rows`: up to `PAGE` judgements. `next`: "" at the end. `looked`:
            how many texts have been looked at since the newest, of `texts`. A page may have few
            rows, or none, and go on: looking further takes another call.

        Raises:
            UsageError: `after` is no place. StoreError: the file can't be read.
        """
        with self._lock:
            opened = self._look()
            newest = opened.store.tables.browsing.newest()
            place = read_place(after) if after else newest
            ids = [n for n, context in opened.contexts.items() if wanted.fits_context(context)]
            rows: list[JudgementOutline] = []
            following: Place | None = place
            end = time.monotonic() + SECONDS
            for block, following in self._blocks(opened, wanted, ids, place):
                for outline in self._fitting(opened, wanted, block):
                    rows.append(outline)
                    if len(rows) == PAGE:
                        following = outline.place
                        break
                if len(rows) == PAGE or time.monotonic() > end:
                    break
            else:
                following = None
            words = opened.store.tables.browsing.words([row.key for row in rows])
            texts = newest.text
            return {
                "rows": [self._row(opened, words[r.key]) for r in rows if r.key in words],
                "next": "" if following is None else write_place(following),
                "looked": texts if following is None else max(0, newest.text - following.text),
                "texts": texts,
            }

    def _blocks(
        self, opened: _Opened, wanted: JudgementFilter, ids: Sequence[int], place: Place
    ) -> Iterator[tuple[list[JudgementOutline], Place]]:
        """Yields answers of some contexts from a place on, and the place after each portion."""
        browsing = opened.store.tables.browsing
        if not ids:
            return
        if wanted.verdict:
            of_classes = [browsing.all_of_class(ids, v, FEW) for v in CLASSES[wanted.verdict]]
            few = [some for some in of_classes if some is not None]
            if len(few) == len(of_classes):
                rows = sorted((r for some in few for r in some), key=_place_of, reverse=True)
                older = [row for row in rows if row.place < place]
                for i in range(0, len(older), BLOCK):
                    block = older[i : i + BLOCK]
                    yield block, block[-1].place
                return
        while place.text > 0:
            block = browsing.older(place, ids, SPAN, BLOCK)
            is_all = len(block) < BLOCK  # that there is of these texts
            place = Place.before(place.text - SPAN) if is_all else block[-1].place
            yield block, place

    def _fitting(
        self, opened: _Opened, wanted: JudgementFilter, block: Sequence[JudgementOutline]
    ) -> Iterator[JudgementOutline]:
        """Yields those of a portion of answers that are wanted."""
        rows = [row for row in block if wanted.fits_answer(row, opened.names[row.context])]
        source = next((one for one in SOURCES if one == wanted.differs), None)
        if source is None:
            yield from rows
            return
        texts = opened.store.tables.browsing.texts(list({row.text for row in rows}))
        for row in rows:
            answers = answers_of(row.achieved, opened.names[row.context])
            task = opened.contexts[row.context].task
            if answers and wanted.fits_truth(
                answers, self._truths.shares(source, task, texts.get(row.text, ""))
            ):
                yield row

    def judgement(self, key: bytes) -> dict[str, Any] | None:
        """Returns one judgement in full, with the prompt as it was sent; None without such a key.

        Raises:
            StoreError: the file can't be read.
        """
        with self._lock:
            opened = self._look()
            words = opened.store.tables.browsing.words([key]).get(key)
            if words is None or words.context not in opened.contexts:
                return None
            context = opened.contexts[words.context]
            sent = self._prompts.of(context, words.text, opened.store.subgoal_sets().values())
            names = opened.names[words.context]
            confidence = json.loads(words.confidence) if words.confidence else []
            return self._row(opened, words) | {
                "text": _shown(words.text, LONGEST),
                "prompt": _shown(sent.text, LONGEST) if sent else "",
                "prefill": _shown(sent.prefill, LONGEST) if sent else "",
                "prompt_note": _note(words) if sent else NOT_KNOWN,
                "raw": _shown(words.raw, LONGEST),
                "message": _shown(words.message, LONGEST),
                "finish": words.finish or "",
                "refusal": _shown(words.refusal, LONGEST),
                "confidence": dict(zip(names, confidence, strict=False)),
                "endpoint": words.endpoint,
                "served_by": _shown(words.served_by, SHORT),
                "prompt_tokens": words.prompt_tokens,
                "completion_tokens": words.completion_tokens,
                "seconds": words.seconds,
                "cost": words.cost,
                "params": context.params,
                "prompt_hash": context.prompt[:12],
            }

    def _row(self, opened: _Opened, words: JudgementWords) -> dict[str, Any]:
        """Returns a judgement as a list shows it."""
        context = opened.contexts[words.context]
        names = opened.names[words.context]
        answers = answers_of(words.achieved, names)
        shares = {s: self._truths.shares(s, context.task, words.text) for s in SOURCES}
        return {
            "key": words.key.hex(),
            "at": _time(words.started),
            "task": context.task,
            "model": context.model,
            "mode": context.mode,
            "template": context.template,
            "sample": words.sample,
            "verdict": words.verdict or UNREAD,
            "reason": _shown(words.reason, SHORT),
            "answers": answers,
            "about": list(names),
            "text": _shown(words.text, SHORT),
            "raw": _shown(words.raw, SHORT),
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


def _place_of(outline: JudgementOutline) -> Place:
    return outline.place


def _note(words: JudgementWords) -> str:
    """Returns what is to be said of a prompt that was made again."""
    if words.items <= 1:
        return ""
    return (
        f"Asked together with {words.items - 1} others in one request; here as it would be sent"
        " alone, with the whole answer below."
    )


def _shown(text: str, longest: int) -> str:
    """Returns untrusted text as it may be shown: no control characters, and no more than that."""
    text = clean(text)
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more)"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
