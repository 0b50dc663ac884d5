"""The Batch API: questions handed in as a file, answered within a day, for less money.

A job is written into the store before it is handed in, under a tag that goes into the job's
metadata. So whoever is killed at any moment finds it again: a job that was handed in is waited for
and fetched, one that was not is handed in. Answers land in the same store under the same keys as
those of the live path; rows that failed or expired, and only those, are handed in again.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from calm.asking.answer_reader import AnswerReader
from calm.asking.asker import Asker
from calm.asking.prompt import JudgePrompt
from calm.asking.tally import Tally
from calm.endpoint.envelope import Malformed, Reply, completion, load_json
from calm.endpoint.faults import RowFault, Transient, Unsupported, fault_of
from calm.errors import BudgetError, EndpointError
from calm.records import Judgement, Usage, Verdict
from calm.store.question import Context, Question

MAX_ROWS, MAX_BYTES = 50_000, 200_000_000  # of one job, by OpenAI's documents
_DAY = 26 * 3600.0  # seconds a lease on a question in a job lasts: the window and some
_ENDED = ("completed", "failed", "expired", "cancelled")


class BatchAsker(Asker):
    """Answers questions through the Batch API; otherwise as `Asker`.

    Args:
        poll: seconds between looks at a job.
        rounds: times that rows which failed or expired are handed in, the first included.
    """

    poll = 30.0
    rounds = 3

    async def answers(
        self,
        context: Context,
        prompt: JudgePrompt,
        questions: Sequence[Question],
        tally: Tally | None = None,
    ) -> dict[bytes, Judgement]:
        """Returns a judgement for each question, by key; what stays unanswered is an `error`."""
        tally = tally or Tally()
        self.count_before(context)
        done = self.usable(context, questions)
        hits = len(done)
        tally.questions += len(questions)
        tally.hits += hits
        refused: dict[bytes, Judgement] = {}
        for _ in range(self.rounds):
            await self._finish_open(context, prompt, refused, tally)
            done |= self.usable(context, [q for q in questions if q.key not in done])
            todo = [q for q in questions if q.key not in done and q.key not in refused]
            if not todo:
                break
            stopped = await self._hand_in(context, prompt, todo)
            if stopped is not None:
                await self._finish_open(
                    context, prompt, refused, tally
                )  # what was handed in is paid for
                raise stopped
        await self._finish_open(context, prompt, refused, tally)
        done |= self.usable(context, [q for q in questions if q.key not in done])
        for question in questions:
            if question.key not in done:
                left = Judgement(Verdict.ERROR, reason="failed or expired in every batch")
                done[question.key] = refused.get(question.key, left)
        tally.verdicts.update(j.verdict for j in done.values())
        tally.answered += len(done) - hits
        tally.changed()
        return done

    # --- handing in ------------------------------------------------------------------------------

    async def _hand_in(
        self, context: Context, prompt: JudgePrompt, todo: Sequence[Question]
    ) -> BudgetError | None:
        """Leases what others don't have, and hands it in as one job or several.

        Returns the error to stop with if a limit on spending kept some of it back.
        """
        tag = uuid.uuid4().hex
        owner = f"batch:{tag}"
        ours = self.store.leases.claim([q.key for q in todo], owner, _DAY, superseding=self.stale)
        waiting = [q for q in todo if q.key in ours]
        if not waiting:
            await asyncio.sleep(self.poll)  # all of it is in others' hands
            return None
        planned = Usage()
        while waiting:
            lines, waiting, planned = self._lines(context, prompt, waiting, planned)
            if not lines:
                self.store.leases.release(owner, [q.key for q in waiting])
                expected = self.endpoint.budget.estimate(len(prompt.render([waiting[0].text])))
                return BudgetError(self.endpoint.budget.reached(planned + expected))
            tag = uuid.uuid4().hex
            keys = {name: [[q.text, q.sample] for q in group] for name, (group, _) in lines.items()}
            self.store.batches.add(self.store.context(context), self.endpoint.address, tag, keys)
            await self._submit(tag, [body for _, body in lines.values()])
        return None

    def _lines(
        self, context: Context, prompt: JudgePrompt, todo: Sequence[Question], planned: Usage
    ) -> tuple[dict[str, tuple[list[Question], bytes]], list[Question], Usage]:
        """Returns the rows that fit in one job and within the limits, by custom_id; and the rest.

        `planned` is what earlier jobs may cost, and comes back with this one's added.
        """
        params = {k: v for k, v in context.params.items() if k != "per_request"}
        rows: dict[str, tuple[list[Question], bytes]] = {}
        size = at = 0
        while at < len(todo) and len(rows) < MAX_ROWS:
            group = [q for q in todo[at : at + self.per_request] if q.sample == todo[at].sample]
            text = prompt.render([q.text for q in group])
            expected = self.endpoint.budget.estimate(len(text))
            if not self.endpoint.budget.allows(planned + expected):
                break
            own = dict(params)
            if prompt.prefill:
                own["prefill"] = prompt.prefill
            if "seed" in own:
                own["seed"] += group[0].sample
            name = f"{len(rows)}-{group[0].key.hex()[:16]}"
            body = self.endpoint.body(text, own, prompt.schema(len(group)))
            row = {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
            line = json.dumps(row).encode() + b"\n"
            if size + len(line) > MAX_BYTES:
                break
            rows[name] = (group, line)
            size, at, planned = size + len(line), at + len(group), planned + expected
        return rows, list(todo[at:]), planned

    async def _submit(self, tag: str, lines: Sequence[bytes]) -> None:
        form = {"purpose": "batch"}
        files = {"file": ("calm.jsonl", b"".join(lines), "application/jsonl")}
        uploaded = json.loads(
            await self._patiently(lambda: self.endpoint.transport.post("/files", form, files))
        )
        job = {
            "input_file_id": uploaded["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"calm": tag},
        }
        created = json.loads(
            await self._patiently(lambda: self.endpoint.transport.post("/batches", job))
        )
        self._mark(tag, "waiting", created["id"])

    # --- waiting and fetching --------------------------------------------------------------------

    async def _finish_open(
        self,
        context: Context,
        prompt: JudgePrompt,
        refused: dict[bytes, Judgement],
        tally: Tally,
    ) -> None:
        """Waits for every open job of this context and takes in what it brought."""
        jobs = self.store.batches.unfinished(self.store.context(context), self.endpoint.address)
        for tag, remote, rows in jobs:
            groups = {
                name: [Question(context.key(text, n), text, n) for text, n in group]
                for name, group in rows.items()
            }
            if remote is None and (remote := await self._find(tag)) is None:
                # Killed before it was handed in: its questions are free again.
                self._drop(tag, groups)
                continue
            self._mark(tag, "waiting", remote)
            job = await self._wait(remote, tally)
            for file in (job.get("output_file_id"), job.get("error_file_id")):
                if file is not None:
                    page = partial(self.endpoint.transport.get, f"/files/{file}/content")
                    content = await self._patiently(page)
                    self._take_in(context, prompt, groups, content, refused, tally)
            self._drop(tag, groups)
            if job["status"] == "failed":
                errors = (job.get("errors") or {}).get("data") or [{}]
                raise EndpointError(f"the batch {remote} was refused: {errors[0].get('message')}")

    async def _find(self, tag: str) -> str | None:
        """Returns the endpoint's id of a job that was handed in without answer; None for none."""
        listed = json.loads(
            await self._patiently(lambda: self.endpoint.transport.get("/batches?limit=100"))
        )
        for job in listed.get("data", ()):
            if (job.get("metadata") or {}).get("calm") == tag:
                return str(job["id"])
        return None

    async def _wait(self, remote: str, tally: Tally) -> dict[str, Any]:
        while True:
            job: dict[str, Any] = json.loads(
                await self._patiently(lambda: self.endpoint.transport.get(f"/batches/{remote}"))
            )
            ended = job["status"] in _ENDED
            tally.waiting = "" if ended else f"{remote} is {job['status']}"
            tally.changed()
            if ended:
                return job
            await asyncio.sleep(self.poll)

    def _take_in(
        self,
        context: Context,
        prompt: JudgePrompt,
        groups: dict[str, list[Question]],
        content: bytes,
        refused: dict[bytes, Judgement],
        tally: Tally,
    ) -> None:
        """Keeps what one file of a job holds; what is already kept is passed over."""
        reader = AnswerReader(context, repair=self.repair)
        known = self.usable(context, [q for group in groups.values() for q in group])
        for line in content.splitlines():
            try:
                row = load_json(line)
                group = groups.get(row.get("custom_id"), [])
            except (ValueError, RecursionError, AttributeError, TypeError):
                tally.failures["malformed"] += 1  # its questions are asked in the next batch
                continue
            if not group or group[0].key in known:
                continue
            response = row.get("response") or {}
            try:
                reply = self._reply(response, row.get("error"))
            except RowFault as fault:
                reason = f"{fault.kind}: {fault.detail}"[:500]
                refused |= {q.key: Judgement(fault.verdict, reason=reason) for q in group}
                continue
            except (Transient, Unsupported, Malformed) as fault:
                tally.failures[getattr(fault, "kind", "malformed")] += 1
                continue
            characters = len(prompt.render([q.text for q in group]))
            call = self.endpoint.count_batch_row(reply, characters)
            if cut := self.notice_cut(context, characters, call):
                tally.cut_prompts += 1
                call = replace(call, detail=cut)
            with self.store.transaction():
                self.store.record(context, self.endpoint.address, call, group)
            self.store.store_verdicts(reader.read([q.key for q in group], reply))
        tally.changed()

    def _reply(self, response: dict[str, Any], error: object) -> Reply:
        """Returns the reply in one row of a job's file.

        Raises:
            RowFault, Transient, Unsupported, Malformed: the row has none.
        """
        status = response.get("status_code", 0)
        body = response.get("body")
        if status != 200:
            detail, scrub = json.dumps(body or error), self.endpoint.transport.scrub
            sent = {"model": self.endpoint.model}
            if not status:
                raise Transient("expired", scrub(detail))
            raise fault_of(
                status, detail, {}, sent=sent, endpoint=self.endpoint.address, scrub=scrub
            )
        return completion(body, request_id=str(response.get("request_id") or ""))

    # --- bookkeeping -----------------------------------------------------------------------------

    def _mark(self, tag: str, status: str, remote: str) -> None:
        self.store.batches.mark(tag, status, remote)

    def _drop(self, tag: str, groups: dict[str, list[Question]]) -> None:
        """Closes a job and frees what it did not answer."""
        with self.store.transaction():
            self.store.batches.close(tag)
            self.store.leases.free([q.key for group in groups.values() for q in group])

    async def _patiently(self, ask: Callable[[], Any]) -> bytes:
        """Returns the answer to a request about files and jobs; tries again while that may help."""
        wait = self.endpoint.connection.backoff
        until = time.monotonic() + self.endpoint.connection.deadline
        while True:
            try:
                content: bytes = await ask()
                return content
            except Transient as fault:
                if time.monotonic() + wait > until:
                    raise EndpointError(f"{self.endpoint.address}: {fault}") from None
                await asyncio.sleep(fault.retry_after or wait)
                wait = min(60.0, 2 * wait)
            except RowFault as fault:
                raise EndpointError(
                    f"{self.endpoint.address} has no Batch API that takes this: {fault}."
                    " Leave out --batch"
                ) from None
