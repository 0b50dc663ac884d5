"""Which given subgoal each discovered one means: an explicit rule, shown, and overruled by hand.

The rule: reduce each name to its content words (small words dropped, a few synonyms and endings
folded); a discovered subgoal means the given one whose words it holds the largest share of, if that
is more than half of them, and none otherwise. Ties go to the given subgoal that comes first. What
the rule gets wrong, a file says: {"discovered name": "given name" or null}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calm.errors import unknown
from calm.records import Judgement, Subgoal, Task

THRESHOLD = 0.5
"""More than this share of a given name's words must be found. Our choice: half of "open the door"
is "door", which "look at the door" has too."""

_SMALL = frozenset(
    ["a", "an", "the", "to", "of", "in", "on", "at", "up", "with", "into", "by", "for", "and", "or",
     "from", "is", "your", "its", "it"]
)  # fmt: skip
_SAME = {
    "get": "pick", "take": "pick", "grab": "pick", "collect": "pick", "obtain": "pick",
    "acquire": "pick", "retrieve": "pick", "unlock": "open", "staircase": "stair",
    "stairway": "stair", "descend": "reach", "arrive": "reach", "go": "reach", "down": "",
    "downstair": "stair", "river": "water", "locked": "", "closed": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """The discovered subgoals of a task and the given one each means."""

    discovered: tuple[Subgoal, ...]
    given: tuple[Subgoal, ...]
    of: Mapping[str, str | None]
    """Name of the given subgoal by the discovered one's name; None for none."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON: the matches, and the given ones that none means."""
        return {
            "of": dict(self.of),
            "unmatched_given": [s.name for s in self.given if s.name not in self.of.values()],
        }


def match(
    discovered: Sequence[Subgoal],
    given: Sequence[Subgoal],
    overrule: Mapping[str, str | None] | None = None,
) -> Match:
    """Returns the discovered subgoals matched by the rule above, then as `overrule` says.

    Raises:
        UsageError: `overrule` names a subgoal that is not there.
    """
    names = [s.name for s in given]
    of = {d.name: _best(d.name, names) for d in discovered}
    for name, meant in (overrule or {}).items():
        if name not in of:
            raise unknown("discovered subgoal", name, of)
        if meant is not None and meant not in names:
            raise unknown("given subgoal", meant, names)
        of[name] = meant
    return Match(tuple(discovered), tuple(given), of)


def scored_tasks(tasks: Mapping[str, Task], matches: Mapping[str, Match]) -> dict[str, Task]:
    """Returns the tasks with those of their given subgoals that some discovered one means.

    Judges are scored on these alone: a given subgoal that nobody named was never asked about, and a
    discovered one that means no given one has no truth. A task may be left with none.

    Args:
        tasks: by id, with all their given subgoals.
        matches: by task id; all subgoals of other tasks stay.
    """
    return {
        id: replace(
            task, subgoals=tuple(s for s in task.subgoals if s.name in matches[id].of.values())
        )
        if id in matches
        else task
        for id, task in tasks.items()
    }


def translate(judgement: Judgement, match: Match) -> Judgement:
    """Returns an answer about discovered subgoals as one about the given ones that they mean.

    Yes if any discovered subgoal that means it is yes; what means none is left out. `match` must
    hold one that means a given one.
    """
    if not judgement.verdict.readable:
        return judgement
    achieved = {s.name: False for s in match.given if s.name in match.of.values()}
    for name, yes in judgement.achieved.items():
        if (meant := match.of[name]) is not None:
            achieved[meant] |= yes
    return Judgement(
        judgement.verdict, achieved, None, judgement.raw, judgement.reason, judgement.usage
    )


def _best(discovered: str, given: Sequence[str]) -> str | None:
    words = _words(discovered)
    shares = [len(words & _words(name)) / max(1, len(_words(name))) for name in given]
    best = max(shares, default=0.0)
    return given[shares.index(best)] if best > THRESHOLD else None


def _words(text: str) -> set[str]:
    words = set()
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        if word in _SMALL:
            continue
        for ending in ("ing", "ed", "s"):
            if word not in _SAME and word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word.removesuffix(ending)
                break
        words.add(_SAME.get(word, word))
    return words - {""}
