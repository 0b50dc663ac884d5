"""Subgoals that a model names: asked for once, checked and stored."""

import json

import pytest

from calm.decompose import decompose, name_subgoals
from calm.errors import CalmError, UsageError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Subgoal, Task, subgoals_hash
from calm.store.store import Store

NAMED = [("come near the key", "The key is next to the hero."), ("pick up the key", "It is taken.")]
FOUND = tuple(Subgoal(*n) for n in NAMED)
BARE = Task("Room-v0", "Find the stairs.")


def _listed(*names: str) -> list[dict[str, str]]:
    return [{"name": n, "definition": "The step shows it."} for n in names]


def test_a_model_is_asked_once_and_its_list_kept(store: Store) -> None:
    with Loopback(subgoals=NAMED) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        assert decompose(BARE, judge, store) == FOUND
        assert decompose(BARE, judge, store) == FOUND
        assert server.requests == 1
    assert store.subgoal_sets("Room-v0") == {subgoals_hash(FOUND): FOUND}


def test_an_unusable_answer_is_asked_again_as_a_new_sample(store: Store) -> None:
    answers = iter(["prose", '{"subgoals": []}', json.dumps({"subgoals": _listed("a", "b")})])
    with Loopback(answer=lambda body: next(answers)) as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        assert [s.name for s in decompose(BARE, judge)] == ["a", "b"]
        assert [b["temperature"] for b in server.bodies] == [0, 0.7, 0.7]
        assert [s.name for s in decompose(BARE, judge)] == ["a", "b"]
        assert server.requests == 3


def test_a_model_that_never_names_any_is_an_error_that_says_what_to_do(store: Store) -> None:
    with Loopback(answer=lambda body: "I would rather not.") as server:
        judge = make_judge("openai:m", base_url=server.url, store=store)
        with pytest.raises(CalmError, match=r"3 answers.*--subgoals given") as failed:
            decompose(BARE, judge)
    assert failed.value.exit_code == 1  # nothing typed was wrong


def test_a_judge_without_a_model_gets_the_given_ones(task: Task, rules: dict) -> None:
    judge = make_judge("rules", rules=rules)
    assert decompose(task, judge) == task.subgoals
    with pytest.raises(UsageError, match="no given subgoals"):
        decompose(BARE, judge)


def test_a_spec_is_enough_and_its_list_is_kept_under_it(store: Store, task: Task) -> None:
    with Loopback(subgoals=NAMED) as server:
        named = name_subgoals(BARE, "openai:m", store, base_url=server.url)
    assert named == FOUND
    assert name_subgoals(task, "rules", store) == task.subgoals
    assert store.subgoal_sets() == {subgoals_hash(x): x for x in (FOUND, task.subgoals)}
    with pytest.raises(UsageError, match="always-yes names no subgoals: --judge takes local:MODEL"):
        name_subgoals(task, "always-yes", store)
