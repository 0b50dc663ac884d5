"""The groups of commands, such as `calm store`, which several layers add to."""

from __future__ import annotations

import typer

GROUPS = {
    "store": "Look into a store of answers, and move them.",
    "owner": "One owner of questions for many who ask, on this machine or on others.",
    "models": "Language models that run on this machine.",
    "bench": "Compare on the same work in one run: ours beside what one would use otherwise.",
    "data": "The packaged labelled sets, and your own.",
    "labels": "Move labels in and out, measure agreement.",
    "hub": "Sets, answers and agents on the Hugging Face hub.",
    "players": "Make the players that sets are played with.",
}
"""What the help says of each group of ours."""


class Groups:
    """Hands out the groups of an application by name; each is added to it when first used."""

    def __init__(self, app: typer.Typer) -> None:
        self._app = app
        self._groups: dict[str, typer.Typer] = {}

    def __call__(self, name: str, about: str = "") -> typer.Typer:
        """Returns the group `name`.

        Args:
            about: what the help says of a group that is not one of `GROUPS`.
        """
        if name not in self._groups:
            group = typer.Typer(no_args_is_help=True, help=GROUPS.get(name, about) or None)
            self._app.add_typer(group, name=name)
            self._groups[name] = group
        return self._groups[name]
