"""Turns raw replies into stored judgements: the one place where an answer gets its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from calm.asking.form import form_of, transition_ids
from calm.asking.parse import Parsed, read_reply
from calm.endpoint.envelope import Reply
from calm.records import Judgement, Usage, Verdict
from calm.store.question import Answer, Context, Reading


class AnswerReader:
    """Reads the replies to the questions of one context.

    Args:
        context: what was asked: the subgoals and the template, which names the form of the answer.
        repair: mend small faults of form (see `calm.asking.parse`).
    """

    def __init__(self, context: Context, *, repair: bool = False) -> None:
        self.names = [s.name for s in context.subgoals]
        self.repair = repair
        self.form = form_of(context.template)
        caps = (context.params.get(name) for name in ("max_completion_tokens", "max_tokens"))
        self.cap: int | None = next((cap for cap in caps if isinstance(cap, int)), None)
        """Most tokens that an answer could have."""

    def read(self, keys: Sequence[bytes], reply: Reply) -> list[Reading]:
        """Returns the verdict on each question that a reply answers, in the order of `keys`."""
        parsed = self._read(reply, len(keys))
        return [
            self._reading(key, one, reply, len(keys)) for key, one in zip(keys, parsed, strict=True)
        ]

    def read_stored(self, key: bytes, answer: Answer) -> Reading:
        """Returns the verdict on a stored answer, read anew from its reply."""
        parsed = self._read(answer.reply, answer.items)
        return self._reading(key, parsed[answer.item], answer.reply, answer.items)

    def judgement(self, answer: Answer) -> Judgement:
        """Returns a stored answer as a judgement.

        What was never read, or not read as it stands, is read now: so `repair` works on answers
        that were bought without it, and the other way round.
        """
        if answer.verdict in (None, Verdict.INVALID, Verdict.REPAIRED):
            return self.judgement_of(self.read_stored(b"", answer), answer.reply, answer.item)
        reading = Reading(b"", answer.verdict, answer.achieved, answer.confidence, answer.reason)
        return self.judgement_of(reading, answer.reply, answer.item)

    def judgement_of(self, reading: Reading, reply: Reply, item: int) -> Judgement:
        """Returns the verdict on item number `item` of a reply as a judgement.

        The usage of a reply that answers several questions stands on the first alone.
        """
        achieved, confidence = reading.achieved, reading.confidence
        return Judgement(
            reading.verdict,
            {n: bool(a) for n, a in zip(self.names, achieved, strict=True)} if achieved else {},
            None if confidence is None else dict(zip(self.names, confidence, strict=True)),
            reply.raw,
            reading.reason,
            reply.usage if item == 0 else Usage(),
        )

    def _read(self, reply: Reply, items: int) -> list[Parsed]:
        return read_reply(
            reply,
            self.names,
            transition_ids(items),
            repair=self.repair,
            cap=self.cap,
            read=self.form.read,
        )

    def _reading(self, key: bytes, parsed: Parsed, reply: Reply, items: int) -> Reading:
        if not parsed.verdict.readable:
            return Reading(key, parsed.verdict, reason=parsed.reason)
        confidence = self.form.confidence(reply, self.names) if items == 1 else None
        achieved = tuple(int(parsed.achieved[n]) for n in self.names)
        return Reading(key, parsed.verdict, achieved, confidence, parsed.reason)


def read_stored_answer(context: Context, key: bytes, answer: Answer, *, repair: bool) -> Reading:
    """Returns the verdict on one stored answer, read anew; see `AnswerReader`."""
    return AnswerReader(context, repair=repair).read_stored(key, answer)
