"""One transition of a packaged set as the first page shows it: screens, words, question, answer."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from calm.asking.form import STATEMENTS
from calm.asking.prompt import JudgePrompt
from calm.judges import make_judge
from calm.judges.stored import ReplayJudge
from calm.judges.thresholds import read_thresholds
from calm.records import Judgement, LabelledTransition, Task
from calm.store.store import Store
from data.dataset import load
from data.evaluation.halves import REPORT, half_of
from data.screen.view import screen_html
from data.store_export import import_store
from docs.generate.tables import fence, table
from envs.tasks.described import TASKS

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "data" / "results" / "models"
THRESHOLDS = ANSWERS / "qwen2.5-coder-1.5b-statements.json"
TASK = "MiniHack-KeyRoom-S5-v0"
LEARNED = " This text is one of those on which the thresholds were learned."
SUBGOAL = "open the locked door"


@cache
def rows_of_task() -> list[LabelledTransition]:
    """Returns the steps of KeyRoom-S5 in the natural part of the packaged set."""
    rows = load("keyroom-v1").part("natural").rows
    return [row for row in rows if row.transition.task == TASK]


def shown_row() -> LabelledTransition:
    """Returns the first of these steps that opens the door."""
    return next(row for row in rows_of_task() if row.truth[SUBGOAL])


def model_answer(task: Task, row: LabelledTransition) -> tuple[str, Judgement]:
    """Returns the name of the first model with committed answers, and what it said of a step."""
    (first, *_) = json.loads((ANSWERS / "manifest.json").read_text("utf-8"))["models"]
    with Store() as store:
        import_store(ANSWERS, store)
        judge = ReplayJudge(
            first, store=store, form=STATEMENTS.name, thresholds=read_thresholds(str(THRESHOLDS))
        )
        (judgement,) = judge.judge(task, task.subgoals, [row.transition])
    return first, judgement


def one_transition() -> str:
    """Returns a step as the game showed it, its description, a question about it, the answers."""
    row, task = shown_row(), TASKS[TASK]
    text = row.transition.texts["events"]
    model, judgement = model_answer(task, row)
    (rules,) = make_judge("rules").judge(task, task.subgoals, [row.transition])
    asked = next(s for s in task.subgoals if s.name == SUBGOAL)
    about = next(i for i in STATEMENTS.items([asked]))
    question = JudgePrompt(task, task.subgoals, "events", STATEMENTS.template, about).render([text])
    same = sum(r.transition.texts["events"] == text for r in rows_of_task())
    half = "" if half_of(row.transition) == REPORT else LEARNED
    name = model.removeprefix("local:").partition("@")[0]
    odds = judgement.confidence or {}
    rows = []
    for subgoal in task.subgoals:
        said = (one[subgoal.name] for one in (judgement.achieved, rules.achieved, row.truth))
        rows.append((subgoal.name, f"{odds[subgoal.name]:.2f}", *map(_yes, said)))
    screens = "\n".join(line for line in str(screen_html(row)).splitlines() if line.strip())
    return "\n\n".join([
        f'<div class="transition">\n{screens}\n</div>',
        "A program describes what the step changed, and nothing else:",
        fence(text),
        f"{same} of the {len(rows_of_task()):,} steps of this task in the packaged set have this"
        " very text, on levels of all shapes: it is asked about once.",
        f"For each subgoal, here “{SUBGOAL}”, a model is asked, in one of several forms:",
        fence(question),
        f"`{name}`, a model of 1.5 billion weights on two cores, answered so; beside it the written"
        " rules and the engine's truth, which no judge sees:",
        table(("subgoal", "its odds of yes", "its judgement", "rules", "truth"), rows),
        f"Odds of yes become a judgement at a threshold for each subgoal.{half}",
    ])  # fmt: skip


def _yes(value: bool) -> str:
    return "**yes**" if value else "no"
