"""Asks about one subgoal, statement or line a request, and puts together what the answers say.

All requests about one transition follow one another, so that a server reads the transition once:
what differs between them is the end of the prompt alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from calm.asking.asker import Asker
from calm.asking.batch_api import BatchAsker
from calm.asking.form import Form
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.records import Judgement, Subgoal, Usage, Verdict
from calm.store.question import Context, Question


@dataclass(frozen=True)
class Item:
    """What requests of one kind are about: a list of subgoals, one of them, or a statement."""

    name: str
    """Of the one subgoal or statement; "" for a whole list."""
    context: Context
    prompt: JudgePrompt


async def ask_items(
    asker: Asker,
    items: Sequence[Item],
    questions: Sequence[Sequence[Question]],
    tally: Tally,
) -> list[dict[bytes, Judgement]]:
    """Returns for each item the judgement on each of its questions, by key.

    Args:
        questions: of each item, about the same texts and samples in the same order.

    Raises:
        EndpointError, BudgetError, StoreError: work has stopped; the store has what was done.
    """
    if isinstance(asker, BatchAsker) or len(items) == 1:
        return [
            await asker.answers(item.context, item.prompt, of_item, tally)
            for item, of_item in zip(items, questions, strict=True)
        ]
    done = [
        await asker.look_up(item.context, of_item, tally)
        for item, of_item in zip(items, questions, strict=True)
    ]
    columns = iter(list(zip(*questions, strict=True)))  # all items' questions about one text

    async def work() -> None:
        for column in columns:
            for item, question, known in zip(items, column, done, strict=True):
                if question.key not in known:
                    known |= await asker.ask(item.context, item.prompt, [question], tally)

    workers = [asyncio.create_task(work()) for _ in range(asker.endpoint.pace.cap)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return done


def combine_answers(
    form: Form,
    subgoals: Sequence[Subgoal],
    texts: Sequence[str],
    by_item: Mapping[str, Mapping[str, Judgement]],
) -> list[Judgement]:
    """Returns one judgement for each text from what was answered about each item and piece.

    What an answer cost stands with the first text that it is about alone.

    Args:
        form: in which was asked.
        subgoals: that the judgements are about.
        texts: descriptions; equal ones get equal judgements.
        by_item: by the item's name, see `Item`, and the piece of a text, see `Form.pieces`.
    """
    combined: dict[str, Judgement] = {}
    billed: set[str] = set()
    for text in dict.fromkeys(texts):
        pieces = form.pieces(text)
        ones = {
            name: combine_pieces({piece: answers[piece] for piece in pieces}, billed)
            for name, answers in by_item.items()
        }
        billed.update(pieces)
        whole = form.asks == "list"
        combined[text] = ones[""] if whole else combine_items(form, subgoals, ones)
    return [combined[text] for text in texts]


def combine_pieces(pieces: Mapping[str, Judgement], billed: Collection[str] = ()) -> Judgement:
    """Returns what the judgements on the pieces of a text say of it: yes where one says yes.

    It is as likely as the likeliest, which is the one whose words are kept. Where one can't be
    read, none can: unreadable is never no.

    Args:
        pieces: on one item, by piece; the judgement on a single piece is that on the text.
        billed: pieces whose cost stands elsewhere.
    """
    usage = sum((j.usage for piece, j in pieces.items() if piece not in billed), Usage())
    if len(pieces) == 1:
        (only,) = pieces.values()
        return replace(only, usage=usage)
    for piece, one in pieces.items():
        if not one.verdict.readable:
            return replace(one, reason=f"{piece}: {one.reason}", usage=usage)

    def likely(piece: str) -> float:
        one = pieces[piece]
        sure = (one.confidence or one.achieved).values()
        return max(map(float, sure))

    best = max(pieces, key=likely)
    raw = f"{pieces[best].raw} ({best})"
    unsure = any(one.confidence is None for one in pieces.values())
    confidence = None if unsure else pieces[best].confidence
    return replace(pieces[best], confidence=confidence, raw=raw, usage=usage)


def combine_items(
    form: Form, subgoals: Sequence[Subgoal], by_name: Mapping[str, Judgement]
) -> Judgement:
    """Returns what the judgements on single subgoals or statements say of a list of subgoals.

    A subgoal is as likely as the least likely of its statements. Where one cannot be read, none
    can: unreadable is never no. Odds that one answer lacks are left out of all.

    Args:
        by_name: on each of the form's items.
    """
    ones = list(by_name.values())
    usage = sum((one.usage for one in ones), Usage())
    raw = "\n".join(f"{name}: {one.raw}" for name, one in by_name.items())
    for name, one in by_name.items():
        if not one.verdict.readable:
            return Judgement(one.verdict, raw=raw, reason=f"{name}: {one.reason}", usage=usage)
    achieved = {s.name: all(by_name[n].achieved[n] for n in form.names(s)) for s in subgoals}
    confidence = None
    if all(one.confidence is not None for one in ones):
        confidence = {
            s.name: min((by_name[n].confidence or {})[n] for n in form.names(s)) for s in subgoals
        }
    verdict = Verdict.OK if all(o.verdict is Verdict.OK for o in ones) else Verdict.REPAIRED
    return Judgement(verdict, achieved, confidence, raw, usage=usage)
