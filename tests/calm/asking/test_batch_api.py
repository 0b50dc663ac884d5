"""The Batch API: handed in once, waited for across kills, and only what failed handed in again."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calm.annotation.many import progress_line
from calm.asking.tally import Tally
from calm.endpoint.budget import Limits
from calm.endpoint.pricing import Price
from calm.errors import BudgetError, EndpointError
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.loopback import Loopback
from calm.loopback.faults import Wire
from calm.records import Task, Transition, Verdict
from calm.store.store import Store
from tests.support.nursery import RULES, Nursery


def _judge(server: Loopback, store: Store, **options: Any) -> OpenAIJudge:
    options = {"batch": True, "poll": 0.01, "backoff": 0.01, **options}
    judge = make_judge("openai:m", base_url=server.url, store=store, **options)
    assert isinstance(judge, OpenAIJudge)
    return judge


def test_a_batch_answers_as_the_live_path_does_and_into_the_same_store(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        batched = _judge(server, store).judge(task, task.subgoals, transitions)
        assert len(server.batches.jobs) == 1
        assert server.requests == 7
        live = _judge(server, store, batch=False).judge(task, task.subgoals, transitions)
        assert [j.achieved for j in live] == [j.achieved for j in batched]
        assert server.requests == 7
    alone = make_judge("rules", rules=rules).judge(task, task.subgoals, transitions)
    assert [j.achieved for j in batched] == [j.achieved for j in alone]


def test_what_is_waited_for_is_told(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    lines = []
    with Loopback(rules) as server:
        judge = _judge(server, store)
        tally = Tally(on_change=lambda t: lines.append(progress_line(t, judge.usage, 1.0)))
        judge.judge(task, task.subgoals, transitions, tally=tally)
    assert "batch-0 is in_progress" in lines[0]
    assert "batch-0" not in lines[-1]


def test_rows_that_failed_or_expired_are_handed_in_again_and_only_those(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        server.batches.expire, server.batches.fail = 2, 1
        judged = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in judged} == {Verdict.OK}
        rows = [
            len(server.batches.files[job["input_file_id"]].splitlines())
            for job in server.batches.jobs.values()
        ]
        assert rows == [7, 3]


def test_a_line_of_a_result_that_is_no_row_costs_only_its_own_questions(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    class Torn(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            wire = super().respond(method, path, key, content)
            if path.endswith("/content"):
                wire = Wire(body=wire.body + b'\n[1]\n{"custom_id": {}}\n{"custom_id": "cut')
            return wire

    with Torn(rules) as server:
        judged = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in judged} == {Verdict.OK}


def test_what_fails_in_every_round_is_an_error(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        server.batches.expire = 1000
        judged = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in judged} == {Verdict.ERROR}
        assert len(server.batches.jobs) == 3


def test_a_row_that_no_retry_can_help_is_settled_at_once(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules, script=["context", "prose"]) as server:
        judged = _judge(server, store).judge(task, task.subgoals, transitions[:7])
        assert [j.verdict for j in judged] == [Verdict.ERROR, Verdict.INVALID] + [Verdict.OK] * 5
        assert len(server.batches.jobs) == 1


def test_a_job_that_was_refused_whole_can_be_handed_in_again(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        server.batches.refuse = 1
        with pytest.raises(EndpointError, match="batch-0 was refused: Enqueued token limit"):
            _judge(server, store).judge(task, task.subgoals, transitions)
        judged = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in judged} == {Verdict.OK}
        assert len(server.batches.jobs) == 2


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("moment", ["/files", "/batches", "/batches/batch-0", "/files/file-1/"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_moment_hands_nothing_in_twice_and_loses_nothing(
    moment: str, after: bool, task: Task, transitions: list[Transition], rules: dict, store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with Loopback(rules) as server:
        judge = _judge(server, store)
        exchange = judge.endpoint.transport._exchange

        async def cut(method: str, path: str, **rest: Any) -> Any:
            hit = path == moment or (moment.endswith("/") and path.startswith(moment))
            if hit and not after:
                raise Killed
            response = await exchange(method, path, **rest)
            if hit:
                raise Killed
            return response

        monkeypatch.setattr(judge.endpoint.transport, "_exchange", cut)
        with pytest.raises(Killed):
            judge.run(judge.ajudge(task, task.subgoals, transitions))
        judged = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in judged} == {Verdict.OK}
        assert server.requests == 7  # every row was computed, and paid, once
        assert store.database.query("SELECT count(*) FROM calls") == [(7,)]
        assert store.database.query("SELECT count(*) FROM leases") == [(0,)]
        assert store.database.query("SELECT DISTINCT status FROM batches") == [("done",)]


def test_a_process_that_is_killed_while_it_waits_is_taken_over(
    nursery: Nursery, tmp_path: Path
) -> None:
    options = {"batch": True, "poll": 0.02}
    with Loopback(RULES) as server:
        server.batches.polls_needed = 1_000_000
        worker = nursery.start(server.url, tmp_path / "s.sqlite", 30, **options)
        until = time.monotonic() + 60
        while server.batches.polls < 3 and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(worker, signal.SIGKILL)
        server.batches.polls_needed = server.batches.polls + 1
        nursery.wait(nursery.start(server.url, tmp_path / "s.sqlite", 30, **options))
        assert len(server.batches.jobs) == 1
        assert server.requests == 30


def test_a_limit_keeps_a_batch_small_and_says_so(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        judge = _judge(server, store, limits=Limits(requests=4))
        with pytest.raises(BudgetError):
            judge.judge(task, task.subgoals, transitions)
        (job,) = server.batches.jobs.values()
        assert len(server.batches.files[job["input_file_id"]].splitlines()) == 4
        with pytest.raises(BudgetError, match="limit of 4 requests"):
            _judge(server, store, limits=Limits(requests=4)).judge(task, task.subgoals, transitions)
        assert server.requests == 4
        rest = _judge(server, store).judge(task, task.subgoals, transitions)
        assert {j.verdict for j in rest} == {Verdict.OK}
        assert server.requests == 7


def test_an_endpoint_without_batches_says_so(
    task: Task, transitions: list[Transition], store: Store
) -> None:
    with Loopback() as server:
        server.batches.respond = lambda *args: None  # type: ignore[method-assign,assignment]
        with pytest.raises(EndpointError):
            _judge(server, store).judge(task, task.subgoals, transitions)


def test_the_file_holds_one_request_a_line(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with Loopback(rules) as server:
        _judge(server, store, per_request=3).judge(task, task.subgoals, transitions)
        lines = [json.loads(x) for x in server.batches.files["file-0"].splitlines()]
    assert len(lines) == 3
    assert len({line["custom_id"] for line in lines}) == 3
    assert {line["url"] for line in lines} == {"/v1/chat/completions"}
    assert lines[0]["body"]["response_format"]["type"] == "json_schema"


class _Odd(Loopback):
    """Answers with this usage, whatever they took."""

    usage: Any = None

    def _complete(self, body: dict[str, Any], key: str) -> Wire:
        value = json.loads(super()._complete(body, key).body)
        value["usage"] = self.usage
        return Wire(body=json.dumps(value).encode())


def test_rows_without_token_counts_count_as_the_most_that_they_may_have_cost(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with _Odd(rules) as server:
        judge = _judge(server, store, price=Price(input=1, output=2, batch=0.5))
        judge.judge(task, task.subgoals, transitions)
        prompts = [row["body"]["messages"][0]["content"] for row in _rows(server)]
    # 7 questions, half a token a character and 16 beside, 1024 tokens an answer, half the price.
    tokens = sum(len(prompt) // 2 + 16 for prompt in prompts)
    paid = judge.paid(task, task.subgoals)
    assert (paid.requests, paid.prompt_tokens, paid.completion_tokens) == (7, tokens, 7 * 1024)
    assert paid.cost == pytest.approx((tokens * 0.5 + 7 * 1024 * 1.0) / 1e6)
    assert judge.usage == replace(paid, seconds=0.0)
    details = store.database.query("SELECT DISTINCT detail FROM calls")
    assert details == [("token counts are an estimate",)]


def test_a_prompt_that_was_cut_in_a_batch_is_counted_and_recorded(
    task: Task, transitions: list[Transition], rules: dict, store: Store
) -> None:
    with _Odd(rules) as server:
        server.usage = {"prompt_tokens": 3, "completion_tokens": 9}
        tally = Tally()
        _judge(server, store).judge(task, task.subgoals, transitions, tally=tally)
    assert tally.cut_prompts == 7
    details = store.database.query("SELECT detail FROM calls")
    assert all("it cut the prompt" in detail for (detail,) in details)


def _rows(server: Loopback) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.batches.files["file-0"].splitlines()]
