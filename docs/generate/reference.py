"""Writes reference pages from the code: commands, settings, exit codes, files, store, prompts."""

from __future__ import annotations

import inspect
import json
import re
import sqlite3
from collections.abc import Sequence
from functools import cache

import pyarrow as pa

import agents.bonus.e3b
import agents.bonus.rnd
import agents.demo.run
import agents.study.results
import agents.training.run.folder
import calm.credit
import data.dataset
import envs.bonus.novelty
from agents.bonus.make import BONUSES
from agents.encoders import MECHANISMS
from agents.training.settings.config import settings
from calm import errors
from calm.asking.form import FORMS
from calm.asking.prompt import decompose_prompt
from calm.judges import JUDGES
from calm.records import MODES, Subgoal, Verdict
from calm.store.schema import MIGRATIONS
from calm.subgoals import LEAST, MOST
from calm.tasks import TaskFile
from data.schema import JUDGEMENTS, LABELS, TRANSITIONS
from docs.generate.commands import commands
from docs.generate.minihack_table import minihack_table
from docs.generate.tables import code, fence, table
from docs.generate.transition import one_transition, question, shown_row
from envs.tasks import INSTALLED, TASKS, words_of


def training_settings() -> str:
    """Returns every setting of a training run with its default and its meaning."""
    return table(
        ("setting", "default", "meaning"),
        ((code(s.name), code(json.dumps(s.default)), s.meaning) for s in settings()),
    )


def task_file_fields() -> str:
    """Returns the fields of a file that describes a task of one's own."""
    return table(
        ("field", "meaning"),
        ((code(n), f.description or "") for n, f in TaskFile.model_fields.items()),
    )


def exit_codes() -> str:
    """Returns the exit codes of every command, with the error that a library's user catches."""
    rows: list[tuple[object, ...]] = [(0, "", "The work is done.")]
    kinds = [errors.CalmError, *errors.CalmError.__subclasses__()]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        rows.append((kind.exit_code, code(kind.__name__), inspect.getdoc(kind) or ""))
    rows.append((errors.INTERRUPTED, "", "Interrupted by Ctrl-C; all that was done is kept."))
    rows.append((errors.TERMINATED, "", "Ended by SIGTERM; all that was done is kept."))
    return table(("code", "error", "meaning"), rows)


def verdicts() -> str:
    """Returns the classes of an answer, each with what it means."""
    meanings = dict(re.findall(r'= "(\w+)"  # (.+)', inspect.getsource(Verdict)))
    rows = ((code(v), meanings[v.value], "yes" if v.readable else "no") for v in Verdict)
    return table(("class", "meaning", "carries a judgement"), rows)


def store_schema() -> str:
    """Returns the tables of a new store, as SQLite itself keeps them."""
    db = sqlite3.connect(":memory:")
    try:
        for migration in MIGRATIONS:
            db.executescript(migration)
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        rows = list(db.execute(query))
    finally:
        db.close()
    statements = [(name, inspect.cleandoc(f"{sql};")) for name, sql in rows]
    return f"Version {len(MIGRATIONS)} (`PRAGMA user_version`).\n\n" + "\n\n".join(
        f"### {name}\n\n{fence(sql, 'sql')}" for name, sql in statements
    )


def prompts() -> str:
    """Returns what is sent in each form about one real transition, in full."""
    row = shown_row()
    task = TASKS[row.transition.task]
    text = row.transition.texts["events"]
    parts = []
    for form in FORMS.values():
        prompt, sent = question(task, text, form)
        lines = [f"## {form.name}", f"Template `{form.template}`.", fence(sent)]
        if prompt.prefill:
            lines += ["The answer is begun for the model:", fence(prompt.prefill)]
        if schema := prompt.schema():
            lines += ["The answer's JSON schema:", fence(json.dumps(schema, indent=1), "json")]
        parts += lines
    parts += ["## Subgoals, by `calm decompose`", fence(decompose_prompt(task, LEAST, MOST)[0])]
    return "\n\n".join(parts)


def descriptions() -> str:
    """Returns the first page's step in the two descriptions with maps."""
    texts = shown_row().transition.texts
    return "\n\n".join(f"### {mode}\n\n{fence(texts[mode])}" for mode in ("screen", "crop"))


def credit_modes() -> str:
    """Returns the formulas of credit, as the module that pays says them."""
    return fence(inspect.getdoc(calm.credit) or "")


def bonuses() -> str:
    """Returns the formulas of the bonuses, as their modules say them."""
    modules = (envs.bonus.novelty, agents.bonus.rnd, agents.bonus.e3b)
    return "\n\n".join(fence(inspect.getdoc(module) or "") for module in modules)


def tasks() -> str:
    """Returns the tasks that have a goal in words, with their given subgoals."""
    groups: dict[tuple[str, tuple[Subgoal, ...]], list[tuple[str, tuple[Subgoal, ...]]]] = {}
    for id in INSTALLED:
        if words := words_of(id):
            groups.setdefault(words, []).append((id, words[1]))
    parts = []
    for (goal, subgoals), members in groups.items():
        parts.append(f"**{goal}**\n\n{', '.join(code(id) for id, _ in members)}")
        times = (_times(column) for column in zip(*(given for _, given in members), strict=True))
        rows = ((s.name + n, s.definition) for s, n in zip(subgoals, times, strict=True))
        parts.append(table(("subgoal", "definition"), rows))
    return "\n\n".join(parts)


def _times(subgoals: Sequence[Subgoal]) -> str:
    """Returns how often a subgoal is to be done, by task; "" where once."""
    least, most = min(s.times for s in subgoals), max(s.times for s in subgoals)
    if most == 1:
        return ""
    return f" ({most} times)" if least == most else f" ({least} to {most} times, by task)"


def names() -> str:
    """Returns the names that settings and options take: judges, forms, descriptions, encoders."""
    lists = {
        "Judges (`--judge`)": JUDGES,
        "Descriptions (`--mode`)": MODES,
        "Forms of question and answer (`--form`)": FORMS,
        "Bonuses (`--bonus`)": BONUSES,
    }
    parts = [f"**{title}**: {', '.join(map(code, listed))}." for title, listed in lists.items()]
    encoders = ((code(name), entry.about) for name, entry in MECHANISMS.items())
    return "\n\n".join([*parts, "**Encoders** (`--encoder`), beside `cnn`:",
                        table(("name", "how it looks at the map"), encoders)])  # fmt: skip


def file_formats() -> str:
    """Returns what the folders hold and the columns of the tables, as their modules say."""
    tables = {
        "Transitions (`calm collect`, labelled sets)": TRANSITIONS,
        "Judgements (`calm annotate --out`)": JUDGEMENTS,
        "Labels (`calm labels export`)": LABELS,
    }
    folders = {
        "A training run": agents.training.run.folder,
        "A demo": agents.demo.run,
        "A study's results": agents.study.results,
        "A labelled set": data.dataset,
    }
    parts = [f"### {title}\n\n{_columns(schema)}" for title, schema in tables.items()]
    parts += [
        f"### {title}\n\n{fence(inspect.getdoc(module) or '')}" for title, module in folders.items()
    ]
    return "\n\n".join(parts)


def _columns(schema: pa.Schema) -> str:
    rows = ((code(f.name), code(f.type), "" if f.nullable else "always there") for f in schema)
    return table(("column", "type", ""), rows)


@cache
def generated() -> dict[str, str]:
    """Returns every piece that a page can ask for, by the name it is asked for with."""
    makers = {
        "bonuses": bonuses,
        "commands": commands,
        "credit": credit_modes,
        "descriptions": descriptions,
        "exit codes": exit_codes,
        "file formats": file_formats,
        "minihack table": minihack_table,
        "names": names,
        "one transition": one_transition,
        "prompts": prompts,
        "settings": training_settings,
        "store schema": store_schema,
        "task file": task_file_fields,
        "tasks": tasks,
        "verdicts": verdicts,
    }
    return {name: make() for name, make in makers.items()}
