"""What the loopback server answers when it behaves: rules applied to the prompt's own text.

It reads the prompt as a model would: the subgoals from their list, the transitions from between
their marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Rules = Mapping[str, Sequence[str]]
"""Patterns by a subgoal's name; any of them found in a transition's text means yes."""
Answer = Callable[[Mapping[str, Any]], str]
"""From a request's body to the content of the answer."""

_SUBGOAL = re.compile(r'^- ("(?:[^"\\]|\\.)*"): ', re.MULTILINE)
_TRANSITION = re.compile(r'<transition id="(\w+)">\n(.*?)\n?</transition>', re.DOTALL)


def prompt_of(body: Mapping[str, Any]) -> str:
    """Returns the text of a request's last message."""
    return str(body["messages"][-1]["content"])


def rule_answers(rules: Rules, subgoals: Sequence[tuple[str, str]] = ()) -> Answer:
    """Returns a function that answers by rules, and names `subgoals`, (name, definition) each.

    A subgoal without a rule is never achieved.
    """
    patterns = {n: [re.compile(p, re.MULTILINE) for p in ps] for n, ps in rules.items()}
    named = list(subgoals) or [(n, f"The step shows: {n}.") for n in rules]

    def answer(body: Mapping[str, Any]) -> str:
        prompt = prompt_of(body)
        transitions = _TRANSITION.findall(prompt)
        if not transitions:
            listed = [{"name": n, "definition": d} for n, d in named]
            return json.dumps({"subgoals": listed})
        names = [json.loads(n) for n in _SUBGOAL.findall(prompt[: prompt.index("<transition id")])]
        judged = {
            id: {n: any(p.search(text) for p in patterns.get(n, ())) for n in names}
            for id, text in transitions
        }
        return json.dumps(judged if len(judged) > 1 else judged[transitions[0][0]])

    return answer
