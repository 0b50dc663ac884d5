"""A store as the page shows it: what was asked and paid, the last answers, and all of them in turn.

The file is opened for reading alone, so that whoever writes it is neither held up nor noticed; and
no look at it reads more than a little, however large it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from agents.watch.judgement_filter import (
    CLASSES,
    JudgementFilter,
    answers_of,
    read_place,
    write_place,
)
from agents.watch.judgement_rows import SHORT, JudgementRows, shown, time_of
from agents.watch.opened_store import OpenedStore, file_of
from agents.watch.sent_prompts import SentPrompts
from agents.watch.truths import SOURCES, KnownTruths
from calm.errors import StoreError
from calm.store.store import Store
from calm.store.tables.browsing import JudgementOutline, Place
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
SECONDS = 0.5
"""That one page of judgements may take; whoever wants to see more asks on."""


class StoreView:
    """Reads one store, again and again.

    Args:
        path: of the file.
        truths: what is known of descriptions.
        prompts: makes prompts again.
    """

    def __init__(self, path: Path, truths: KnownTruths, prompts: SentPrompts) -> None:
        self.path = path
        self._truths = truths
        self._rows = JudgementRows(truths, prompts)
        self._opened: OpenedStore | None = None
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

    def _look(self) -> OpenedStore:
        """Brings the summary up to date; returns the open store."""
        opened = self._open()
        asked_now = opened.browsing.asked_now(time.time())
        if not opened.look():
            self._summary |= {"asked_now": asked_now}
            return opened
        tasks = {context.task for context in opened.contexts.values()}
        self._summary = {
            "path": str(self.path),
            "problem": "",
            "asked_now": asked_now,
            "calls": opened.calls,
            "calls_counted": opened.last_call,
            "models": {model: vars(totals) for model, totals in opened.models.items()},
            "classes": opened.classes(),
            "choices": opened.choices() | {"differs": list(self._truths.known(tasks))},
            "last": self._last(opened),
        }
        return opened

    def _open(self) -> OpenedStore:
        """Returns the open store; opens it anew where another file has taken its place."""
        file = file_of(self.path)
        if self._opened is not None and self._opened.file != file:
            self.close()
        if self._opened is None:
            self._opened = OpenedStore(Store(self.path, readonly=True), file)
        return self._opened

    def _last(self, opened: OpenedStore) -> list[dict[str, Any]]:
        """Returns the last calls, each with the judgements that it brought, where these are found.

        One that failed brought none.
        """
        browsing = opened.browsing
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
                    "at": time_of(call.started),
                    "seconds": call.seconds,
                    "outcome": call.outcome,
                    "detail": shown(call.detail, SHORT),
                    "model": context.model,
                    "task": context.task,
                    "raw": shown(call.raw, SHORT),
                    "judgements": [
                        self._rows.row(opened, words[key])
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
            newest = opened.browsing.newest()
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
            words = opened.browsing.words([row.key for row in rows])
            texts = newest.text
            return {
                "rows": [self._rows.row(opened, words[r.key]) for r in rows if r.key in words],
                "next": "" if following is None else write_place(following),
                "looked": texts if following is None else max(0, newest.text - following.text),
                "texts": texts,
            }

    def _blocks(
        self, opened: OpenedStore, wanted: JudgementFilter, ids: Sequence[int], place: Place
    ) -> Iterator[tuple[list[JudgementOutline], Place]]:
        """Yields answers of some contexts from a place on, and the place after each portion."""
        browsing = opened.browsing
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
        self, opened: OpenedStore, wanted: JudgementFilter, block: Sequence[JudgementOutline]
    ) -> Iterator[JudgementOutline]:
        """Yields those of a portion of answers that are wanted."""
        rows = [row for row in block if wanted.fits_answer(row, opened.names[row.context])]
        source = next((one for one in SOURCES if one == wanted.differs), None)
        if source is None:
            yield from rows
            return
        texts = opened.browsing.texts(list({row.text for row in rows}))
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
            words = opened.browsing.words([key]).get(key)
            if words is None or words.context not in opened.contexts:
                return None
            return self._rows.in_full(opened, words)


def _place_of(outline: JudgementOutline) -> Place:
    return outline.place
