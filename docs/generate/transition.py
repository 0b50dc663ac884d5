"""One transition of a packaged set as the first page shows it: screens, words, question, answer."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from calm.asking.form import FORMS, Form
from calm.asking.prompt import JudgePrompt
from calm.judges import make_judge
from calm.judges.stored import ReplayJudge
from calm.records import Judgement, LabelledTransition, Task
from calm.store.store import Store
from data.dataset import load
from data.screen.view import screen_html
from data.store_export import import_store
from docs.generate.tables import fence, table
from envs.tasks.described import TASKS

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "data" / "results" / "models"
TASK = "MiniHack-KeyRoom-S5-v0"
SUBGOAL = "open the locked door"
SHOWN_FORM = FORMS["lines"]


class ModelAnswer(NamedTuple):
    """What a model once answered about a step, as its committed answers have it."""

    model: str
    form: Form
    judgement: Judgement


@cache
def rows_of_task() -> list[LabelledTransition]:
    """Returns the steps of KeyRoom-S5 in the balanced part of the packaged set."""
    rows = load("keyroom-v1").part("balanced").rows
    return [row for row in rows if row.transition.task == TASK]


def shown_row() -> LabelledTransition:
    """Returns the first of these steps that opens the door."""
    return next(row for row in rows_of_task() if row.truth[SUBGOAL])


def shown_task() -> Task:
    """Returns the task with those of its given subgoals that the part asks about."""
    asked = {s.name for s in load("keyroom-v1").part("balanced").tasks[TASK].subgoals}
    task = TASKS[TASK]
    return replace(task, subgoals=tuple(s for s in task.subgoals if s.name in asked))


def question(task: Task, text: str, form: Form) -> tuple[JudgePrompt, str]:
    """Returns a question that a form puts about `SUBGOAL`, or about all in one; as it is sent."""
    asked = [s for s in task.subgoals if s.name == SUBGOAL]
    about = form.items(asked)[0] if form.asks != "list" else ()
    prompt = JudgePrompt(task, task.subgoals, "events", form.template, about)
    telling = next(piece for piece in form.pieces(text) if "door" in piece)
    return prompt, prompt.render([telling])


@cache
def model_answer() -> ModelAnswer | None:
    """Returns the first committed answer with odds about the step; None where there is none."""
    task, row = shown_task(), shown_row()
    models = json.loads((ANSWERS / "manifest.json").read_text("utf-8"))["models"]
    with Store() as store:
        import_store(ANSWERS, store)
        for model in models:
            for form in sorted(FORMS.values(), key=lambda form: form is not SHOWN_FORM):
                judge = ReplayJudge(model, store=store, form=form.name)
                (judgement,) = judge.judge(task, task.subgoals, [row.transition])
                if judgement.confidence:
                    return ModelAnswer(model, form, judgement)
    return None


def one_transition() -> str:
    """Returns a step as the game showed it, its description, a question about it, the answers."""
    row, task = shown_row(), shown_task()
    text = row.transition.texts["events"]
    answer = model_answer()
    form = answer.form if answer else SHOWN_FORM
    same = sum(r.transition.texts["events"] == text for r in rows_of_task())
    screens = "\n".join(line for line in str(screen_html(row)).splitlines() if line.strip())
    return "\n\n".join(
        [
            f'<div class="transition">\n{screens}\n</div>',
            "A program describes what the step changed, and nothing else:",
            fence(text),
            f"{same} of the {len(rows_of_task()):,} steps of this task in that part of the set have"
            " this very text, on levels of all shapes: it is asked about once.",
            f"A model is asked what the step achieved, in one of several forms. In the form"
            f" `{form.name}` it is asked, for “{SUBGOAL}”:",
            fence(question(task, text, form)[1]),
            _answers(task, row, answer),
        ]
    )


def _answers(task: Task, row: LabelledTransition, answer: ModelAnswer | None) -> str:
    """Returns a table of what the rules say, what is true, and how likely a model found it."""
    (rules,) = make_judge("rules").judge(task, task.subgoals, [row.transition])
    header = ["subgoal", "by the written rules", "the engine's truth"]
    rows = [[s.name, _yes(rules.achieved[s.name]), _yes(row.truth[s.name])] for s in task.subgoals]
    words = "The answers; no judge sees the engine's truth:"
    if answer is not None:
        name = answer.model.removeprefix("local:").partition("@")[0]
        header.insert(1, f"{name}: P(yes)")
        for one, subgoal in zip(rows, task.subgoals, strict=True):
            one.insert(1, f"{(answer.judgement.confidence or {})[subgoal.name]:.2f}")
        words = (
            f"The answers of `{name}`, which runs on two cores, as kept with the project. No judge"
            " sees the engine's truth."
        )
    return f"{words}\n\n{table(header, rows)}"


def _yes(value: bool) -> str:
    return "**yes**" if value else "no"
