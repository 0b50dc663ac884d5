"""Which runs `calm train` is to start: the options that name settings of theirs, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from calm.cli.options import FORMS, THRESHOLDS, AskAgain, read_verdicts


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is trained on and for how long; each field is an option of the same name.

    What is None, "" or empty was not named: the config file decides then, or the default of
    `agents.training.settings.config.TrainConfig`, which the help texts have in brackets.
    """

    task: Annotated[
        str | None, typer.Argument(help="MiniHack task, such as KeyRoom-S5, or a YAML file.")
    ] = None
    judge: Annotated[
        str | None,
        typer.Option(
            help="none, truth (the engine's own), noisy:precision=P,recall=R (the truth with"
            " errors), rules, local:MODEL, openai:MODEL, replay. [rules]"
        ),
    ] = None
    form: Annotated[
        str | None,
        typer.Option(help=f"Form of question and answer of a model: {FORMS}. [booleans]"),
    ] = None
    thresholds: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|FILE",
            help=THRESHOLDS,
        ),
    ] = ""
    ask: Annotated[
        str | None,
        typer.Option(
            help="wait for the judge's answers about what is new, or take them later and go on"
            " meanwhile. [wait]"
        ),
    ] = None
    ask_again: AskAgain = ""
    shaping: Annotated[
        str | None,
        typer.Option(help="every, once (each subgoal pays once an episode), potential. [once]"),
    ] = None
    bonus: Annotated[
        str | None,
        typer.Option(
            help="What pays without a judge: novelty (events new in their episode),"
            " novelty:message, novelty:cell, novelty:crop, novelty:relevant, rnd, e3b. [none]"
        ),
    ] = None
    bonus_weight: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="What a bonus of 1 pays. [novelty 0.03, rnd 0.003, e3b 0.01]"
        ),
    ] = None
    encoder: Annotated[
        str | None, typer.Option(help="What sees the map; an unknown name lists them. [cnn]")
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(help="none, stack (the last crops), lstm (over the episode). [none]"),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Environment steps, rounded up to whole rollouts. [300000]"),
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, help="First seed. [0]")] = None
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds, each a run. [1]")] = None
    subgoals: Annotated[
        str | None,
        typer.Option(help="given, a YAML file as `calm decompose` writes it, or a list's hash."),
    ] = None
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; options win over it.")
    ] = None
    wandb: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Log to Weights & Biases as well.")
    ] = None
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any other setting, such as n_envs=16."),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Returns the settings that were named, by field of `TrainConfig`.

        Raises:
            UsageError: a pair of `--set`, thresholds or a class of verdicts that can't be read.
        """
        from agents.training.settings.files import read_settings
        from calm.judges.thresholds import read_thresholds

        named: dict[str, Any] = {
            "task": self.task,
            "judge": self.judge,
            "form": self.form,
            "ask": self.ask,
            "shaping": self.shaping,
            "bonus": self.bonus,
            "bonus_weight": self.bonus_weight,
            "encoder": self.encoder,
            "memory": self.memory,
            "steps": self.steps,
            "seed": self.seed,
            "subgoals": self.subgoals,
            "wandb": self.wandb,
        }
        if self.thresholds:
            named["thresholds"] = read_thresholds(self.thresholds)
        if self.ask_again:
            named["ask_again"] = read_verdicts(self.ask_again)
        settings = {name: value for name, value in named.items() if value is not None}
        return settings | read_settings(self.setting or [])
