"""What `calm evaluate` is asked for: its options as records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from data.cli.label_options import LABELS


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Whom to ask about what, and in which words; each field is an option."""

    data: Annotated[
        str,
        typer.Option(help="A labelled set: keyroom-v1, minihack-v2, a folder or a parquet file."),
    ] = "keyroom-v1"
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom to ask: local:MODEL, openai:MODEL, rules, replay:MODEL, always-yes,"
            " always-no, random[:P]. Repeat for several.",
            show_default="rules, always-yes, always-no, random",
        ),
    ] = None
    mode: Annotated[
        list[str] | None,
        typer.Option(
            help="What they read: screen, crop, events, or all. Repeat for several.",
            show_default="events",
        ),
    ] = None
    part: Annotated[
        list[str] | None, typer.Option(help="Parts of the set.", show_default="all")
    ] = None
    task: Annotated[
        list[str] | None, typer.Option(help="Tasks of the set.", show_default="all")
    ] = None
    subgoals: Annotated[
        str,
        typer.Option(
            help="given: those the set asks about; all: every one with a known truth; or names,"
            " separated by commas."
        ),
    ] = "given"
    discovered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TASK=]FILE",
            help="Ask about the subgoals of this file instead, as `calm decompose` writes it, or of"
            " the list with this hash in the store; they are matched to the given ones by name."
            " Repeat for several tasks.",
        ),
    ] = None
    match_file: Annotated[
        Path | None,
        typer.Option(
            "--match",
            help='Overrule the matching: JSON {"discovered": "given" or null}, or one such mapping'
            " for each task.",
        ),
    ] = None
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION=LEVEL",
            help="Change the prompt: role=off, legend=off, goal=win, message=off, action=off,"
            " spacing=on. Repeat for several.",
        ),
    ] = None
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTION",
            help="Cross both levels of a prompt option; all crosses all six; form crosses the forms"
            " of question and answer, on the half to tune on. Repeat for several.",
        ),
    ] = None
    half: Annotated[
        str,
        typer.Option(
            help="tune or report: only the texts of that half. What is chosen or learned on one is"
            " reported on the other.",
            show_default="all; tune with --sweep form and --learn-thresholds",
        ),
    ] = ""
    learn_thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Learn on the half to tune on how likely a yes must be, for --thresholds FILE.",
        ),
    ] = None
    fold: Annotated[
        bool,
        typer.Option(
            help="Learn how likely a yes must be on each half of the texts, and judge the other by"
            " it, so that every row is reported and none by what it taught."
        ),
    ] = False
    answered: Annotated[
        bool, typer.Option(help="Only rows about which the store answers for every replayed judge.")
    ] = False
    limit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Only N rows of each part, the same for every judge, drawn by --seed so that each"
            " class keeps its share; 0: all.",
        ),
    ] = 0
    repeats: Annotated[
        int, typer.Option(min=1, help="Times each question is asked; 2 or more give a flip rate.")
    ] = 1

    def for_plan(self) -> dict[str, Any]:
        """Returns the same as fields of `data.evaluation.plan.EvaluationPlan`."""
        return {
            "data": self.data,
            "judges": tuple(self.judge or ("rules", "always-yes", "always-no", "random")),
            "modes": tuple(self.mode or ("events",)),
            "parts": tuple(self.part or ()),
            "tasks": tuple(self.task or ()),
            "subgoals": self.subgoals,
            "discovered": tuple(self.discovered or ()),
            "overrule": self.match_file,
            "prompt": tuple(self.prompt or ()),
            "sweep": tuple(self.sweep or ()),
            "half": self.half,
            "learn": self.learn_thresholds,
            "fold": self.fold,
            "answered": self.answered,
            "limit": self.limit,
            "repeats": self.repeats,
        }


@dataclass(frozen=True, slots=True)
class ReferenceOptions:
    """What judges are scored against; each field is an option."""

    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="engine|people|NAME",
            help="Score against the engine's truth, the majority of people, or one annotator."
            " Repeat for several.",
            show_default="engine",
        ),
    ] = None
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where people's labels are: the file of `calm label`, or .csv and .parquet files."
            " Repeat for several.",
            show_default=str(LABELS),
        ),
    ] = None
    min_people: Annotated[
        int, typer.Option(min=1, help="People who must be sure of a transition to be its truth.")
    ] = 2

    def for_plan(self) -> dict[str, Any]:
        """Returns the same as fields of `data.evaluation.plan.EvaluationPlan`."""
        return {
            "against": tuple(self.against or ("engine",)),
            "labels": tuple(self.labels or (LABELS,)),
            "min_people": self.min_people,
        }
