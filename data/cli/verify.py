"""`calm data verify`: labelled sets against their manifests."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def verify_command(
    sets: Annotated[
        list[str] | None,
        typer.Argument(help="Names or folders of sets.", show_default="all that come along"),
    ] = None,
) -> None:
    """Verify labelled sets: hashes, counts, contents and level seeds against the manifest.

    Prints a line for each fault; exits with 1 if there is any.
    """
    from data.verify import verify

    faulty = False
    for name, faults in verify(sets or ()):
        for fault in faults:
            sys.stdout.write(f"{fault}\n")
        sys.stdout.write(f"{name}: {'FAULTY' if faults else 'verified'}\n")
        faulty |= bool(faults)
    if faulty:
        raise typer.Exit(1)
