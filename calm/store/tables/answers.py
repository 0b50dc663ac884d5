"""The tables of answers and of the texts that they are about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from calm.endpoint.envelope import Reply
from calm.records import Usage, Verdict
from calm.store.database import Database, chunks, storable
from calm.store.question import Answer, Question, Reading
from calm.store.tables.calls import load_odds, message_column


class ReadingContext(NamedTuple):
    """What decides how a stored answer is read."""

    key: bytes
    subgoals: str
    """JSON [[name, definition], ...]"""
    template: str
    params: str
    """JSON object"""


class Answers:
    """The answers in a store's file, and their texts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- reading ---------------------------------------------------------------------------------

    def among(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """Returns the stored answers among `keys`."""
        answers: dict[bytes, Answer] = {}
        for chunk in chunks(keys):
            marks = ",".join("?" * len(chunk))
            rows = self._db.query(
                "SELECT a.key, a.verdict, a.achieved, a.confidence, a.reason, a.item, c.items,"
                " c.raw, c.finish, c.refusal, c.odds, c.prompt_tokens, c.cached_tokens,"
                " c.completion_tokens, c.seconds, c.cost, c.served_by, c.request_id,"
                f" {message_column(self._db, 'c')}"
                f" FROM answers a JOIN calls c ON c.id = a.call WHERE a.key IN ({marks})",
                chunk,
            )
            answers.update((row[0], _answer(row)) for row in rows)
        return answers

    def never_met(self, least: int) -> list[tuple[str, str, str, int]]:
        """Returns the subgoals that none of a context's answers says was achieved.

        Args:
            least: readable answers that a context must have to tell.

        Returns:
            Task, model, subgoal and the number of readable answers of each.
        """
        return self._db.query(
            "SELECT c.task, c.model, json_extract(c.subgoals, '$[' || s.key || '][0]'), count(*)"
            " FROM answers a JOIN contexts c ON c.id = a.context, json_each(a.achieved) s"
            " WHERE c.kind = 'judge' AND a.verdict IN ('ok', 'repaired') AND a.achieved != ''"
            " GROUP BY c.id, s.key HAVING count(*) >= ? AND sum(s.value) = 0"
            " ORDER BY 1, 2, c.id, s.key",
            [least],
        )

    def most_samples(self, context: int) -> int:
        """Returns the number of samples of the question of a context that has most; 0 for none."""
        most = self._db.value("SELECT max(sample) + 1 FROM answers WHERE context = ?", [context])
        return int(most or 0)

    def nearest_sample(self, context: int, text: str, sample: int) -> int | None:
        """Returns the sample nearest to `sample` that has an answer about a text, or None."""
        rows = self._db.query(
            "SELECT a.sample FROM answers a JOIN texts t ON t.id = a.text"
            " WHERE a.context = ? AND t.text = ? ORDER BY abs(a.sample - ?) LIMIT 1",
            [context, text, sample],
        )
        return int(rows[0][0]) if rows else None

    def texts_of_like_length(self, context: int, length: int, most: int) -> list[str]:
        """Returns up to `most` texts with an answer, those nearest to `length` characters first."""
        rows = self._db.query(
            "SELECT t.text FROM answers a JOIN texts t ON t.id = a.text WHERE a.context = ?"
            " ORDER BY abs(length(t.text) - ?) LIMIT ?",
            [context, length, most],
        )
        return [text for (text,) in rows]

    def judgements_after(self, key: bytes, most: int) -> list[ReadingContext]:
        """Returns how the next answers of judges are to be read, up to `most`, in order of key."""
        rows = self._db.query(
            "SELECT a.key, c.subgoals, c.template, c.params"
            " FROM answers a JOIN contexts c ON c.id = a.context"
            " WHERE c.kind = 'judge' AND a.key > ? ORDER BY a.key LIMIT ?",
            [key, most],
        )
        return [ReadingContext(*row) for row in rows]

    def replies(self, model: str, template: str) -> list[tuple[str, Reply]]:
        """Returns what a model replied to the questions of a template, each with its task.

        They come by task, and of one task in the order in which they were drawn.
        """
        rows = self._db.query(
            "SELECT c.task, a.key FROM answers a JOIN contexts c ON c.id = a.context"
            " WHERE c.model = ? AND c.template = ? ORDER BY c.task, a.sample",
            [model, template],
        )
        answers = self.among([key for _, key in rows])
        return [(task, answers[key].reply) for task, key in rows]

    def whole_rows_after(self, call: int, item: int, most: int) -> list[tuple[Any, ...]]:
        """Returns the next answers with all that belongs to them, in order of call and item.

        A row holds kind, task, mode, subgoals (JSON), template, prompt, model, params (JSON), text,
        sample, call, item, items, endpoint, started, seconds, raw, finish, refusal, served_by,
        request_id, prompt_tokens, cached_tokens, completion_tokens, cost, verdict, message, odds.
        """
        return self._db.query(
            "SELECT c.kind, c.task, c.mode, c.subgoals, c.template, c.prompt, c.model, c.params,"
            " t.text, a.sample, a.call, a.item, k.items, k.endpoint, k.started, k.seconds, k.raw,"
            " k.finish, k.refusal, k.served_by, k.request_id, k.prompt_tokens, k.cached_tokens,"
            f" k.completion_tokens, k.cost, a.verdict, {message_column(self._db, 'k')},"
            " k.odds FROM answers a"
            " JOIN contexts c ON c.id = a.context JOIN texts t ON t.id = a.text"
            " JOIN calls k ON k.id = a.call"
            " WHERE (a.call, a.item) > (?, ?) ORDER BY a.call, a.item LIMIT ?",
            [call, item, most],
        )

    # --- counting --------------------------------------------------------------------------------

    def counts(self) -> list[tuple[str, str, str, str, str | None, int]]:
        """Returns the number of answers by kind, model, task, description and verdict class."""
        rows = self._db.query(
            "SELECT c.kind, c.model, c.task, c.mode, a.verdict, count(*) FROM answers a"
            " JOIN contexts c ON c.id = a.context GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4"
        )
        return [(kind, model, task, mode, v, n) for kind, model, task, mode, v, n in rows]

    def orphans(self) -> dict[str, int]:
        """Returns the number of answers that refer to a row that is not there, by its table."""
        parents = {"calls": "call", "contexts": "context", "texts": "text"}
        return {
            table: self._db.value(
                "SELECT count(*) FROM answers a WHERE NOT EXISTS"
                f" (SELECT 1 FROM {table} t WHERE t.id = a.{column})"
            )
            for table, column in parents.items()
        }

    def texts(self) -> int:
        """Returns the number of texts."""
        return int(self._db.value("SELECT count(*) FROM texts"))

    # --- writing ---------------------------------------------------------------------------------

    def add(self, context: int, call: int, questions: Iterable[tuple[int, Question]]) -> None:
        """Adds unread answers of a call, by item, in place of older ones under the same keys."""
        self._db.execute_many(
            "INSERT OR REPLACE INTO answers (key, context, text, sample, call, item)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(q.key, context, self._text(q.text), q.sample, call, item) for item, q in questions],
        )

    def add_same(self, context: int, call: int, keys: Sequence[bytes], achieved: int) -> None:
        """Adds one and the same good answer, yes to all of `achieved` subgoals, under many keys."""
        text, yes = self._text(""), json.dumps([1] * achieved)
        self._db.execute_many(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, 0, ?, 0, 'ok', ?, NULL, '')",
            ((key, context, text, call, yes) for key in keys),
        )

    def set_readings(self, readings: Sequence[Reading]) -> None:
        """Sets how answers were read."""
        self._db.execute_many(
            "UPDATE answers SET verdict = ?, achieved = ?, confidence = ?, reason = ?"
            " WHERE key = ?",
            [
                (
                    r.verdict.value,
                    json.dumps(r.achieved) if r.achieved else None,
                    json.dumps([round(c, 6) for c in r.confidence]) if r.confidence else None,
                    storable(r.reason),
                    r.key,
                )
                for r in readings
            ],
        )

    def _text(self, text: str) -> int:
        """Returns the row number of a text, which is added if it is new."""
        text = storable(text)
        digest = hashlib.sha256(text.encode()).digest()
        self._db.execute("INSERT OR IGNORE INTO texts (hash, text) VALUES (?, ?)", [digest, text])
        return int(self._db.value("SELECT id FROM texts WHERE hash = ?", [digest]))


def _answer(row: tuple[Any, ...]) -> Answer:
    """Returns the answer of a row of `Answers.among`."""
    return Answer(
        verdict=None if row[1] is None else Verdict(row[1]),
        achieved=tuple(json.loads(row[2])) if row[2] else (),
        confidence=tuple(json.loads(row[3])) if row[3] else None,
        reason=row[4],
        item=row[5],
        items=row[6],
        reply=Reply(
            text=row[7],
            finish=row[8],
            refusal=row[9],
            odds=load_odds(row[10]),
            usage=Usage(1, row[11], row[12], row[13], row[14], row[15]),
            model=row[16],
            request_id=row[17],
            message=row[18],
        ),
    )
