"""`calm probe`: what an endpoint can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calm.cli.asking_options import AskingOptions, with_asking_options
from calm.cli.options import Json, StoreOption
from calm.cli.output import make_console, print_json
from calm.text import clean


@with_asking_options("key_env")
def probe_command(
    *,
    url: Annotated[
        str | None, typer.Argument(help="Base URL; without one, OPENAI_BASE_URL or OpenAI's own.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model; without one, the first that is listed.")
    ] = None,
    store: StoreOption = Path("calm.sqlite"),
    asking: AskingOptions,
    concurrency: Annotated[
        bool, typer.Option(help="Also try how many requests at once it takes (up to 64).")
    ] = True,
    as_json: Json = False,
) -> None:
    """Find out what an endpoint can do: schema, log-probabilities, seed, usage, context, speed.

    If it answers and the simplest answer can't be read, that is said, and why.

    Costs about fifteen short requests, and eighty-five more with --concurrency. The card is kept in
    the store, and later runs start from it. It asks by itself: with CALM_OWNER set it refuses.
    """
    from calm.asking.probe import probe_and_keep
    from calm.owned.address import refuse_owner
    from calm.store.store import Store

    refuse_owner("calm probe")
    with Store(store) as opened:
        card = probe_and_keep(url, model, opened, asking.key_env, concurrency=concurrency)
    if as_json:
        print_json(card)
    else:
        _print_card(card)
        make_console().print(Text(f"kept in {store}"))
    _warn_unreadable(card)


def _print_card(card: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    for name, value in card.items():
        shown = ", ".join(value) or "nothing" if isinstance(value, list) else str(value)
        table.add_row(Text(name), Text("not told" if value is None else clean(shown)))
    make_console().print(table)


def _warn_unreadable(card: Mapping[str, Any]) -> None:
    """Says on stderr, whatever is printed, that the simplest answer could not be read, and why."""
    if not card["readable"]:
        text = (
            f"calm: {card['address']} answers, but the simplest answer could not be read"
            f" ({card['unreadable']}). Judgements will be unreadable too: try another model, or let"
            " the server keep thoughts apart from the answer"
        )
        Console(stderr=True).print(Text(clean(text), style="yellow"), soft_wrap=True)
