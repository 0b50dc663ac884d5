"""Which person labels which transitions: each goes to several, and all people have as many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from calm.errors import UsageError
from data.label.store import check_annotator


def read_people(text: str) -> tuple[str, ...]:
    """Returns the names in `a,b,c`.

    Raises:
        UsageError: no annotator can have such a name, or one stands twice.
    """
    people = tuple(check_annotator(name) for name in text.split(","))
    for i, name in enumerate(people):
        if any(name.casefold() == other.casefold() for other in people[:i]):
            raise UsageError(f"--people names {name!r} twice; names differ in more than their case")
    return people


def assign(
    ids: Sequence[str], people: Sequence[str], overlap: int, seed: int = 0
) -> dict[str, set[str]]:
    """Returns the ids of the transitions of each person; each goes to `overlap` people.

    The same arguments give the same assignment, whoever asks. Nobody has two transitions more than
    another, and whom a transition goes to is drawn, so that all pairs of people come to overlap.

    Raises:
        UsageError: fewer people than `overlap`.
    """
    if not 1 <= overlap <= len(people):
        raise UsageError(
            f"--overlap is {overlap}, expected 1 to the {len(people)} people there are"
        )
    of: dict[str, set[str]] = {name: set() for name in people}

    def drawn(*words: str) -> bytes:
        return hashlib.sha256("\n".join([str(seed), *words]).encode()).digest()

    for id in sorted(ids, key=drawn):
        fewest = sorted(people, key=lambda name: (len(of[name]), drawn(id, name)))
        for name in fewest[:overlap]:
            of[name].add(id)
    return of
