"""A prompt that a server has cut in silence is noticed by its token count, told and recorded."""

import json
import logging
from typing import Any

import pytest

from calm.annotation.many import annotate
from calm.asking.prompt_size import PromptSizes
from calm.loopback import Loopback
from calm.loopback.faults import Wire
from calm.records import Task, Transition, Usage
from tests.support.loopback_judge import judge_of


def _sizes(card: dict[str, Any] | None = None) -> PromptSizes:
    return PromptSizes({} if card is None else card, lambda news: None)


def _checked(sizes: PromptSizes, *prompts: tuple[int, int], mode: str = "events") -> list[bool]:
    return [bool(sizes.check(mode, chars, Usage(prompt_tokens=n))) for chars, n in prompts]


def test_far_fewer_tokens_than_earlier_prompts_had_are_a_cut() -> None:
    # A quarter of a token a character at first; half of that is the limit.
    assert _checked(_sizes(), (1000, 250), (8000, 999)) == [False, True]
    card = {"tokens_per_character": {"events": 0.25}}
    assert _checked(_sizes(card), (8000, 999)) == [True]
    assert _checked(_sizes(card), (8000, 999), mode="screen") == [False]


def test_the_card_learns_the_fewest_tokens_a_character_by_mode_and_not_from_cut_prompts() -> None:
    card: dict[str, Any] = {}
    learned: list[Any] = []
    sizes = PromptSizes(card, learned.append)
    _checked(sizes, (1000, 300), (1000, 299), (1000, 250), (1000, 260))
    _checked(sizes, (1000, 400), mode="screen")
    _checked(sizes, (1000, 100))
    assert card["tokens_per_character"] == {"events": 0.25, "screen": 0.4}
    assert len(learned) == 4  # 0.3, 0.25, 0.4, and the cut one
    assert card["cut_prompt"] == {"characters": 1000, "tokens": 100}


def test_fewer_tokens_than_any_text_has_are_a_cut_at_the_first_prompt() -> None:
    assert _checked(_sizes(), (12_000, 1000), (12_000, 999)) == [False, True]


def test_prompts_of_different_lengths_with_equally_many_tokens_have_met_a_ceiling() -> None:
    assert _checked(_sizes(), (9000, 2048), (9100, 2048), (9800, 2048)) == [False, False, True]
    assert _checked(_sizes(), (1000, 250), (1200, 300), (1000, 300)) == [False, False, False]


def test_without_counts_nothing_is_said() -> None:
    assert _checked(_sizes(), (9000, 0)) == [False]


class _Cuts(Loopback):
    """Reads at most 700 tokens of a prompt, of four characters each, and says nothing of it."""

    def _complete(self, body: dict[str, Any], key: str) -> Wire:
        wire = super()._complete(body, key)
        value = json.loads(wire.body)
        usage = value["usage"]
        usage["prompt_tokens"] = min(usage["prompt_tokens"], 700)
        return Wire(body=json.dumps(value).encode())


def test_a_cut_prompt_is_told_once_counted_and_recorded(
    task: Task, rules: dict, caplog: pytest.LogCaptureFixture
) -> None:
    short = [Transition(task.id, {"events": f"Step {i}."}, "") for i in range(3)]
    long = [Transition(task.id, {"events": f"Step {i}. " + "North. " * 900}, "") for i in range(2)]
    with _Cuts(rules) as server, caplog.at_level(logging.WARNING, "calm"):
        judge = judge_of(server, concurrency=1)
        assert annotate(judge, task, task.subgoals, short).summary.cut_prompts == 0
        summary = annotate(judge, task, task.subgoals, long).summary
    assert summary.cut_prompts == summary.as_json()["cut_prompts"] == 2
    assert [r.message.count("it cut the prompt") for r in caplog.records] == [1]
    details = judge.store.database.query("SELECT detail FROM calls ORDER BY id")
    assert ["cut the prompt" in detail for (detail,) in details] == [False] * 3 + [True] * 2
    card = judge.store.card(judge.endpoint.address, "m")
    assert card["cut_prompt"]["tokens"] == 700
    assert card["tokens_per_character"]["events"] == pytest.approx(0.25, abs=0.01)


class _CachesApart(Loopback):
    """Counts all but 50 tokens of each prompt as cached, and does not add them to the prompt's."""

    def _complete(self, body: dict[str, Any], key: str) -> Wire:
        wire = super()._complete(body, key)
        value = json.loads(wire.body)
        usage = value["usage"]
        usage["prompt_tokens_details"] = {"cached_tokens": usage["prompt_tokens"] - 50}
        usage["prompt_tokens"] = 50
        return Wire(body=json.dumps(value).encode())


def test_tokens_that_a_server_cached_and_counts_apart_are_no_cut(task: Task, rules: dict) -> None:
    long = [Transition(task.id, {"events": f"Step {i}. " + "North. " * 900}, "") for i in range(2)]
    with _CachesApart(rules) as server:
        judge = judge_of(server, concurrency=1)
        assert annotate(judge, task, task.subgoals, long).summary.cut_prompts == 0
    assert "cut_prompt" not in judge.store.card(judge.endpoint.address, "m")
