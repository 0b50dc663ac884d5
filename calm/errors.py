"""Every error this project raises on purpose, and the exit code a script sees.

    CalmError                 1   anything below, or a failure without a better name
    ├── UsageError            2   a name, option, file or config that cannot be used
    ├── BudgetError           3   a limit on cost, tokens or requests was reached
    ├── PartialError          4   the work ended, but some rows have no readable answer
    ├── EndpointError         5   the endpoint can't be used: unreachable, refused, no quota
    ├── StoreError            6   the store cannot be read or written
    └── GameError             7   a level does not compile, or the game engine died

Ctrl-C ends with 130 and SIGTERM with 143, as shells expect.
"""

from __future__ import annotations

from collections.abc import Iterable


class CalmError(Exception):
    """Base of all errors raised on purpose; the message says what was wrong and what to do."""

    exit_code = 1


class UsageError(CalmError):
    """Something the user named or wrote cannot be used."""

    exit_code = 2


class BudgetError(CalmError):
    """A limit that the user set (or the account's quota) was reached; work done so far is kept."""

    exit_code = 3
    kind = "no quota"
    """How a failed attempt that raised it is counted."""


class PartialError(CalmError):
    """The work ended, but some rows have no readable answer."""

    exit_code = 4


class EndpointError(CalmError):
    """The endpoint cannot be used: unreachable, key refused, model unknown."""

    exit_code = 5
    kind = "refused for good"
    """How a failed attempt that raised it is counted."""


class StoreError(CalmError):
    """The store cannot be read or written."""

    exit_code = 6


class GameError(CalmError):
    """A level does not compile, or the game engine died."""

    exit_code = 7


INTERRUPTED = 130
TERMINATED = 143


MOST_LISTED, NEAREST = 40, 8
"""Valid names that an error lists in full, and those that it picks out of more."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> UsageError:
    """Returns the error for a name that is not among the `valid` ones; it lists them.

    Of more than `MOST_LISTED` it lists those most like the name, and says how many there are.

    >>> str(unknown("judge", "rule", ["rules", "replay"]))
    "unknown judge 'rule': did you mean 'rules'? Valid: replay, rules"
    """
    import difflib  # not to be loaded before Ctrl-C is handled, see `calm.cli.loading`

    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=NEAREST, cutoff=0.5)
    hint = f": did you mean {close[0]!r}? Valid" if close else "; valid"
    listed = ", ".join(names) or "there is none"
    if len(names) > MOST_LISTED:
        nearest = close or names[:NEAREST]
        listed = f"{', '.join(nearest)} and {len(names) - len(nearest)} more"
    return UsageError(f"unknown {kind} {name!r}{hint}: {listed}")
