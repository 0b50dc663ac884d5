"""Options that the commands of all layers share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calm.errors import unknown
from calm.records import Verdict

StoreOption = Annotated[
    Path, typer.Option("--store", help="SQLite file that keeps every answer; made if missing.")
]
KeptStoreOption = Annotated[
    Path, typer.Option("--store", help="SQLite file of answers; it must be there.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1.",
        envvar="OPENAI_BASE_URL",
        show_envvar=True,
    ),
]
BaseUrls = Annotated[
    list[str] | None,
    typer.Option(
        help="Address of an OpenAI-compatible endpoint, such as http://localhost:8000/v1; named"
        " more than once, they share the work by how fast each answers.",
        envvar="OPENAI_BASE_URL",
        show_envvar=True,
    ),
]
THRESHOLDS = (
    "How likely a yes must be, where a model's answer tells: a number, or the file of"
    " `calm evaluate --learn-thresholds`."
)
"""What the option says, for its help."""
FORMS = "booleans, array, explain, skeleton, statements, lines, or the last two with -few-shot"
"""The forms of `calm.asking.form` in words, which takes too long to import for a help text."""
KeyEnv = Annotated[
    str, typer.Option(help="Environment variable that holds the key; never the key itself.")
]
AskAgain = Annotated[
    str,
    typer.Option(
        metavar="CLASSES",
        help="Ask again for stored answers of these classes, such as invalid,truncated; the new"
        " answer counts from then on.",
    ),
]
Descriptions = Annotated[
    int,
    typer.Option(
        help="Version of the events text: 1 names the action on a key that answers a question of"
        " the game, 2 does not, 3 leaves out too what no given subgoal asks about."
    ),
]
Quick = Annotated[bool, typer.Option(help="Less work in less time; figures are rougher.")]

TaskArgument = Annotated[
    str,
    typer.Argument(
        help="A task's id, or a YAML file that describes one: id, goal, and perhaps environment,"
        " des_file, actions, subgoals, legend."
    ),
]


def read_verdicts(text: str) -> tuple[Verdict, ...]:
    """Returns the verdict classes that a text names, separated by commas; none for "".

    Raises:
        UsageError: a word names none; lists those there are.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in set(Verdict):
            raise unknown("verdict class", word, [v.value for v in Verdict])
    return tuple(dict.fromkeys(map(Verdict, words)))
