"""What a model is asked: versioned templates, rendered in a sandbox, with the game's text tamed.

A prompt is one user message (some models take no system role). Its static part comes first (task,
legend, subgoals, form of the answer) and the transitions last, so that a server can reuse the
prefix. A template is a file `prompts/NAME-vN.j2`; a changed prompt is a new file, never an edit,
because its hash is part of the key under which answers are stored.

The game's text is untrusted: engravings, names and bones may hold anything. So it goes through
`calm.text.clean` before it is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from calm.asking.form import BOOLEANS, form_of, transition_ids
from calm.errors import UsageError, unknown
from calm.records import MODES, Mode, Subgoal, Task, content_hash, subgoals_hash
from calm.text import clean

JUDGE_TEMPLATE = BOOLEANS.template
DECOMPOSE_TEMPLATE = "decompose-v1"
DECOMPOSE_AGAIN_TEMPLATE = "decompose-again-v1"
CLAUSE_TEMPLATE = "clause-v1"


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the reader is a model, not a browser
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def templates() -> list[str]:
    """Returns the names of the templates at hand."""
    folder = files("calm") / "asking" / "prompts"
    return sorted(f.name.removesuffix(".j2") for f in folder.iterdir() if f.name.endswith(".j2"))


@cache
def _load(name: str) -> tuple[Template, str]:
    """Returns the template of a name and the hash of its source."""
    if name not in templates():
        raise unknown("prompt template", name, templates())
    source = (files("calm") / "asking" / "prompts" / f"{name}.j2").read_text("utf-8")
    try:
        return _environment().from_string(source), content_hash(source)
    except TemplateSyntaxError as error:
        raise UsageError(
            f"prompt template {name!r}, line {error.lineno}: {error.message}"
        ) from None


def _tame(task: Task) -> Task:
    return replace(task, goal=clean(task.goal), actions=tuple(clean(a) for a in task.actions))


class JudgePrompt:
    """Renders the question about transitions of one task, for one list of subgoals.

    Args:
        mode: which description is shown; the legend is shown with `screen` and `crop`.
        template: name of a file in `prompts/`, without `.j2`.
        about: what the answer is to be about, where that is not the whole list: one of the
            subgoals, or one statement.
    """

    def __init__(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        mode: Mode = "events",
        template: str = JUDGE_TEMPLATE,
        about: Sequence[Subgoal] = (),
    ) -> None:
        if mode not in MODES:
            raise unknown("mode", mode, MODES)
        names = [s.name for s in subgoals]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"the subgoals need distinct names, at least one; got {names}")
        self._template, self.template_hash = _load(template)
        self.template = template
        self.source = (task, tuple(subgoals), mode, template, tuple(about))
        """What it was made of: all that another process needs to make the same."""
        self._task = _tame(task)
        self._legend = clean(task.legend) if mode != "events" else ""
        self.subgoals = tuple(Subgoal(clean(s.name), clean(s.definition)) for s in subgoals)
        if [s.name for s in self.subgoals] != names:
            raise UsageError(f"a subgoal's name holds control characters or marks: {names}")
        self.about = tuple(Subgoal(clean(s.name), clean(s.definition)) for s in about)
        self.subjects = self.about or self.subgoals
        """What the answer is about."""
        form = form_of(template)
        self.prefill = form.prefill(self.about[0]) if self.about else ""
        """The beginning of the answer, which is put into the model's mouth."""
        shown = [subgoals_hash(self.subgoals)] if form.asks == "subgoal" else []
        shown += [self.prefill] if self.prefill else []
        self.hash = content_hash([self.template_hash, self._task.goal, self._legend, *shown])
        """Names what a model is shown but what the answer is about, and the transition."""
        # All of a prompt but the transition is the same for every transition: rendered once.
        self._before, self._after = self._render(["\0"]).split("\0")

    def render(self, texts: Sequence[str]) -> str:
        """Returns the prompt about one transition or several, with ids `t1`, `t2`, ..."""
        cleaned = [clean(text) for text in texts]
        if len(cleaned) == 1:
            return self._before + cleaned[0] + self._after
        return self._render(cleaned)

    def _render(self, texts: Sequence[str]) -> str:
        ids = transition_ids(len(texts))
        answer: dict[str, object] = {s.name: False for s in self.subgoals}
        if form_of(self.template).name == "array":
            answer = {"achieved": [False] * len(self.subgoals)}
        elif form_of(self.template).name == "explain":
            answer = {"happened": "..."} | answer
        example: object = answer if len(ids) == 1 else dict.fromkeys(ids[:2], answer)
        form = json.dumps(example, ensure_ascii=False).replace("false", "true or false")
        if len(ids) > 2:
            form = form[:-1] + ", ...}"
        return self._template.render(
            task=self._task,
            legend=self._legend,
            subgoals=self.subgoals,
            ids=ids,
            texts=texts,
            example=form,
            about=self.about,
        )

    def schema(self, n: int = 1) -> dict[str, object] | None:
        """Returns the JSON schema of the answer about n transitions; None where there is none."""
        return form_of(self.template).schema([s.name for s in self.subjects], n)


def decompose_prompt(
    task: Task, least: int, most: int, template: str = DECOMPOSE_TEMPLATE
) -> tuple[str, str]:
    """Returns the question for a task's subgoals, and the hash of the template it came from."""
    compiled, template_hash = _load(template)
    text = compiled.render(task=_tame(task), legend=clean(task.legend), least=least, most=most)
    return text, template_hash


def decompose_again_prompt(
    task: Task,
    least: int,
    most: int,
    subgoals: Sequence[Subgoal],
    outcomes: Sequence[str],
    steps: Sequence[str],
) -> tuple[str, str]:
    """Returns the question for better subgoals, and the hash of the template it came from.

    Args:
        subgoals: those that were named before.
        outcomes: what became of them on played transitions, a sentence each.
        steps: descriptions of some of these transitions.
    """
    compiled, template_hash = _load(DECOMPOSE_AGAIN_TEMPLATE)
    text = compiled.render(
        task=_tame(task),
        legend=clean(task.legend),
        least=least,
        most=most,
        subgoals=[Subgoal(clean(s.name), clean(s.definition)) for s in subgoals],
        seen=[clean(line) for line in outcomes],
        steps=[clean(step) for step in steps],
    )
    return text, template_hash


def clause_prompt(subgoal: Subgoal) -> tuple[str, str]:
    """Returns the question for a subgoal in one clause, and the hash of the template."""
    compiled, template_hash = _load(CLAUSE_TEMPLATE)
    return compiled.render(subgoal=Subgoal(clean(subgoal.name), "")), template_hash
