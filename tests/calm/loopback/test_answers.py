"""What the loopback server answers when it behaves: rules on the prompt's own text."""

import json

from calm.asking.prompt import JudgePrompt, decompose_prompt
from calm.loopback.answers import prompt_of, rule_answers
from calm.records import Task

RULES = {"pick up the key": ("^The key",)}


def _body(prompt: str) -> dict[str, object]:
    return {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": prompt}]}


def test_one_transition_is_answered_by_name_and_several_by_id(task: Task) -> None:
    prompt, answer = JudgePrompt(task, task.subgoals), rule_answers(RULES)
    texts = ["The key entered the inventory.", "Not The key."]
    one = json.loads(answer(_body(prompt.render(texts[:1]))))
    assert one == {"pick up the key": True, "open the door": False}  # no rule: never achieved
    both = json.loads(answer(_body(prompt.render(texts))))
    assert [both[id]["pick up the key"] for id in ("t1", "t2")] == [True, False]


def test_subgoals_are_named_where_no_transition_is_shown(task: Task) -> None:
    prompt, _ = decompose_prompt(task, 2, 8)
    named = json.loads(rule_answers(RULES)(_body(prompt)))["subgoals"]
    assert named == [{"name": "pick up the key", "definition": "The step shows: pick up the key."}]
    own = json.loads(rule_answers({}, [("sing", "Sing.")])(_body(prompt)))["subgoals"]
    assert own == [{"name": "sing", "definition": "Sing."}]
    assert prompt_of(_body("p")) == "p"
