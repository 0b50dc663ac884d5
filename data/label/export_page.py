"""A labelling page as one file: for a person far away, without a server, a network or a store.

The file holds every step that is to be labelled, drawn as the served page draws it, and neither the
engine's truth nor any judge's answer. Answers stay in the reader's browser until they are saved to
a small file, which `calm labels import` takes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calm.files import write_file
from calm.records import LabelledTransition, Subgoal, Task
from data.label.session import PAGE, labels_order, shown, step_view
from data.screen.view import HERE as SCREEN
from data.screen.view import screen_style

HERE = Path(__file__).parent
FORMAT = 1
"""Version of the file that the page saves."""


def write_page(
    path: Path,
    rows: Sequence[LabelledTransition],
    tasks: Mapping[str, Task],
    set_version: str,
    annotator: str = "",
    discovered: Mapping[str, Sequence[Subgoal]] | None = None,
) -> None:
    """Writes the page.

    Args:
        path: the .html file.
        rows: the transitions to label.
        tasks: of the rows, by id.
        set_version: of the set, as `Label.set`.
        annotator: who labels; empty lets the page ask for a name.
        discovered: by task, subgoals that a model named: the page asks which given one each means.
    """
    unique = {row.transition.id: row for row in rows}
    order = labels_order(annotator, unique)
    used = {row.transition.task for row in unique.values()}
    matching = [
        {
            "task": id,
            "given": [s.name for s in tasks[id].subgoals],
            "discovered": [(s.name, s.definition) for s in subgoals],
        }
        for id, subgoals in (discovered or {}).items()
        if id in used
    ]
    about = {
        "format": FORMAT,
        "page": PAGE,
        "set": set_version,
        "annotator": annotator,
        "content": hashlib.sha256("\n".join(sorted(unique)).encode()).hexdigest()[:12],
        "steps": {id: _step(unique[id], tasks) for id in order},
    }
    scripts = [(HERE / "static" / name).read_text("utf-8") for name in ("choose.js", "offline.js")]
    script = "\n".join(scripts)
    environment = Environment(
        loader=FileSystemLoader([HERE / "templates", SCREEN]),
        autoescape=True,
        undefined=StrictUndefined,
    )
    styles = screen_style() + (HERE / "static" / "label.css").read_text("utf-8")
    html = environment.get_template("offline.html").render(
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(styles),
        script=Markup(script),
        # A name could end the script element; inside JSON "<" can be written otherwise.
        about=Markup(json.dumps(about, ensure_ascii=False).replace("<", "\\u003c")),
        steps=[step_view(unique[id], tasks[unique[id].transition.task]) for id in order],
        subgoals={s.name: s.definition for id in sorted(used) for s in tasks[id].subgoals},
        matching=matching,
        annotator=annotator,
    )
    write_file(path, html)


def _step(row: LabelledTransition, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Returns what the saved file says of a step beside the answer."""
    return {
        "asked": [s.name for s in tasks[row.transition.task].subgoals],
        "reads": shown(row),
        "action": row.transition.action,
    }
