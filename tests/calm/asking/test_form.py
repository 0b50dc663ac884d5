"""A form of question and answer is chosen by name, and the present one keeps every stored key."""

import pytest

from calm.asking.form import BOOLEANS, FORMS, form_of
from calm.asking.prompt import JudgePrompt, templates
from calm.errors import UsageError
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.records import Task
from calm.store.question import Context

ADDRESS = "http://127.0.0.1:9/v1"


def test_every_template_that_asks_for_judgements_belongs_to_one_form() -> None:
    of_forms = [name for form in FORMS.values() for name in form.templates]
    others = ("decompose", "clause")  # these ask for subgoals, and for a subgoal in one clause
    assert sorted(of_forms) == [t for t in templates() if not t.startswith(others)]
    assert all(name in form_of(name).templates for name in of_forms)
    assert len(set(of_forms)) == len(of_forms)
    assert form_of("a-template-of-tomorrow") is BOOLEANS


def test_the_key_of_a_question_in_booleans_is_that_of_before_there_were_forms(task: Task) -> None:
    judge = make_judge("openai:m", base_url=ADDRESS)
    assert isinstance(judge, OpenAIJudge)
    context = judge.context(task, task.subgoals)
    by_hand = Context(
        task.id, task.subgoals, "m", "events", "judge-v1", JudgePrompt(task, task.subgoals).hash,
        {"temperature": 0, "max_tokens": 1024},
    )  # fmt: skip
    assert context.hash == by_hand.hash
    # As commit da4c7e9 printed it for this task.
    assert context.hash == "61ea531c436484eb8e932fefb04e64212920c3eb69d5f757b1c4b4f62ed26ff2"


def test_a_form_or_template_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="booleans"):
        make_judge("openai:m", base_url=ADDRESS, form="boolean")
    with pytest.raises(UsageError, match="judge-norole-v1"):
        make_judge("openai:m", base_url=ADDRESS, template="judge-norole-v9")
