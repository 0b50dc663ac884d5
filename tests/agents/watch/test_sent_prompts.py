"""A prompt is made again as it was sent, or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.watch.sent_prompts import SentPrompts
from calm.asking.form import FORMS
from calm.judges import make_judge
from calm.judges.openai import OpenAIJudge
from calm.records import Subgoal, Transition
from calm.store.store import Store
from tests.support.watched import TASK, TEXTS, context_of

KITCHEN = replace(
    TASK, id="Kitchen", subgoals=(Subgoal("boil", "Water boils.", ("water boiled",)),)
)


@pytest.mark.parametrize("form", FORMS)
def test_in_every_form_it_is_the_prompt_that_was_asked(form: str, tmp_path: Path) -> None:
    text = "The water boiled.\nThe cat slept."
    with Store(tmp_path / "s.sqlite") as store:
        judge = make_judge("openai:m", store=store, base_url="http://127.0.0.1:9/v1", form=form)
        assert isinstance(judge, OpenAIJudge)
        for item in judge.items(KITCHEN, KITCHEN.subgoals):
            store.context(item.context)
            (stored,) = store.tables.browsing.contexts()[-1:]
            piece = judge.form.pieces(Transition("Kitchen", {"events": text}, "").texts["events"])[
                0
            ]
            sent = SentPrompts(lambda: [KITCHEN]).of(stored, piece)
            assert sent is not None
            assert sent.text == item.prompt.render([piece])
            assert sent.prefill == item.prompt.prefill
        judge.close()


def test_a_task_that_is_told_otherwise_now_has_no_prompt() -> None:
    with Store() as store:
        store.context(context_of())
        (stored,) = store.tables.browsing.contexts()
    sent = SentPrompts(lambda: [TASK]).of(stored, TEXTS[0])
    assert sent is not None
    assert TASK.goal in sent.text
    assert SentPrompts(lambda: [replace(TASK, goal="Stay.")]).of(stored, TEXTS[0]) is None
    assert SentPrompts().of(stored, TEXTS[0]) is None
    assert SentPrompts(lambda: [TASK]).of(stored._replace(mode="smell"), TEXTS[0]) is None
    old = stored._replace(template="judge-v0")
    assert SentPrompts(lambda: [TASK]).of(old, TEXTS[0]) is None
