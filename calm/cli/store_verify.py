"""`calm store verify`: whether a store is whole and reads as it was read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from calm.cli.options import (
    Json,
    KeptStoreOption,
)
from calm.cli.output import make_console, print_json
from calm.errors import StoreError


def verify_command(store: KeptStoreOption = Path("calm.sqlite"), as_json: Json = False) -> None:
    """Check a store: the file, the records, and that every answer still reads as it was read.

    Exits with 6 if it is damaged.
    """
    from calm.asking.answer_reader import read_stored_answer
    from calm.store.database import DAMAGED
    from calm.store.integrity import verify
    from calm.store.store import Store

    with Store.existing(store) as opened:
        audit = verify(opened, read_stored_answer)
    if as_json:
        print_json(asdict(audit))
    else:
        console = make_console()
        console.print(Text(f"{audit.answers} answers, {audit.unread} read only now"))
        if audit.stale:
            console.print(Text(f"{audit.stale} would be read otherwise by this version of calm"))
        for problem in audit.problems:
            console.print(Text(problem))
    if audit.problems:
        raise StoreError(f"{store} is {DAMAGED}")
