"""The nouns of the project: task, subgoal, transition, screen, judgement, usage.

All are frozen and hold plain values, so they can be hashed, stored and compared.
A judge sees `Transition.texts` and nothing else of the game.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Mode = Literal["screen", "crop", "events"]
"""How a transition is put into words: both whole maps, both 9x9 crops, or only what changed."""

MODES: tuple[Mode, ...] = get_args(Mode)

NONE = "none"
"""Name of the class of a transition that achieved nothing."""


class Verdict(StrEnum):
    """Classes an answer by what became of it. Only `OK` and `REPAIRED` carry a judgement.

    An answer that cannot be read is never "no": it is one of the other five, and is counted.
    """

    OK = "ok"  # read strictly
    REPAIRED = "repaired"  # read after small faults of syntax were mended, on request
    INVALID = "invalid"  # prose, broken JSON, wrong schema, a subgoal missing
    TRUNCATED = "truncated"  # the model ran into its token limit
    REFUSED = "refused"  # the model declined
    FILTERED = "filtered"  # the endpoint's content filter cut it
    ERROR = "error"  # no answer: transport, server, envelope without choices

    @property
    def readable(self) -> bool:
        """Returns whether an answer of this class carries a judgement."""
        return self in (Verdict.OK, Verdict.REPAIRED)


def content_hash(value: object) -> str:
    """Returns the SHA-256 of a value's canonical JSON, 64 hex digits: equal content, equal hash."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Subgoal:
    """A step towards the task's goal that one transition can be seen to achieve.

    Its option starts where the last one ended and terminates when a judge says yes.
    """

    name: str
    """Short imperative, the key in a model's answer: "pick up the key"."""
    definition: str
    """One sentence that a stranger could check on one transition."""
    statements: tuple[str, ...] = field(default=(), compare=False)
    """The same in one clause a fact, worded as descriptions word it: "the key entered the
    inventory". It is achieved where all are true. Forms of question that ask whether a statement is
    true (see `calm.asking.form`) put these; empty where nobody has written any. They name nothing:
    lists that differ in them alone are equal and have the same hash."""
    times: int = field(default=1, compare=False)
    """How often it is to be done in an episode, at least once: "kill a giant rat" 6 times. Each of
    these is a step of the subgoal, and earns that share of its credit (see `calm.credit`). It is no
    part of the question, so it names nothing either."""


@dataclass(frozen=True, slots=True)
class Task:
    """Describes the environment's task to a judge."""

    id: str
    goal: str
    """One English sentence."""
    subgoals: tuple[Subgoal, ...] = ()
    """The given subgoals, in order; empty where we know none."""
    actions: tuple[str, ...] = ()
    """English name of every action, by its index."""
    legend: str = ""
    """What the map's symbols mean; shown with `screen` and `crop`."""


def subgoals_hash(subgoals: Sequence[Subgoal]) -> str:
    """Returns the hash of a list of subgoals by content and order, 64 hex digits."""
    return content_hash([[s.name, s.definition] for s in subgoals])


@dataclass(frozen=True, slots=True)
class Transition:
    """One step (s, a, s') in words."""

    task: str
    """Id of the task."""
    texts: Mapping[str, str]
    """Description by mode; a judge reads one of them."""
    action: str
    """English name of the action."""
    episode: str = ""
    """Which episode; "" where it does not matter."""
    step: int = 0
    """0 is the first action after a reset."""
    terminated: bool = False
    truncated: bool = False

    @property
    def id(self) -> str:
        """Returns the hash of the content: task, texts, action, ends; not of episode and step."""
        return content_hash(
            [self.task, dict(self.texts), self.action, self.terminated, self.truncated]
        )


@dataclass(frozen=True, slots=True)
class Screen:
    """The terminal at one moment, for people to look at; no judge sees it."""

    chars: str
    """Lines of equal length, joined by newlines."""
    colours: str
    """As `chars`, each character replaced by its terminal colour, one hex digit (0 to f)."""


@dataclass(frozen=True, slots=True)
class LabelledTransition:
    """One transition, what the engine says it achieved, and where it comes from.

    A collector builds it from what it has: the `Transition` with a text for each mode, a dict of
    truth by subgoal name, a dict of provenance. Truth may hold more subgoals than a judge is
    asked about; it lacks one only where nobody knows its truth, in every row of the task.
    """

    transition: Transition
    truth: Mapping[str, bool]
    """By subgoal name; computed from engine state, never from the text."""
    provenance: Mapping[str, str | int] = field(default_factory=dict)
    """`level_seed`, `player` and `versions` have columns of their own; other keys are kept as
    text."""
    before: Screen | None = None
    after: Screen | None = None

    @property
    def cluster(self) -> str:
        """Returns what intervals are clustered by: the episode, whose steps hang together."""
        return f"{self.transition.task}/{self.transition.episode}"

    def achieved(self, names: Sequence[str]) -> npt.NDArray[np.int8]:
        """Returns the truth by name, (G,) int8, 1 or 0; KeyError where it is not known."""
        import numpy as np  # most who need these records need no arrays

        return np.array([self.truth[name] for name in names], dtype=np.int8)

    def kind(self, names: Sequence[str]) -> str:
        """Returns its class in the paper's design: the subgoal it achieved, or `none`.

        More than one is rare; the names are then joined with " + ". A subgoal whose truth is not
        known, as those of a task of one's own, is not among them.
        """
        return " + ".join(name for name in names if self.truth.get(name)) or NONE


@dataclass(frozen=True, slots=True)
class Usage:
    """What answers cost. Add with `+`."""

    requests: int = 0
    """HTTP requests sent, failed attempts included."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Part of `prompt_tokens` that the endpoint read from its own cache."""
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    """US dollars; None where the price is not known, which is not zero."""

    def __add__(self, other: Usage) -> Usage:
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's answer about one transition."""

    verdict: Verdict
    achieved: Mapping[str, bool] = field(default_factory=dict)
    """By subgoal name; holds every subgoal asked about if the verdict is readable, else nothing."""
    confidence: Mapping[str, float] | None = None
    """Probability of yes by subgoal name, in [0, 1], where the judge gives one."""
    raw: str = ""
    """The answer as it came, before parsing."""
    reason: str = ""
    """Why it cannot be read, or what was repaired."""
    usage: Usage = Usage()
    """Of the call that brought it; where one call answered several questions, on the first."""

    def __post_init__(self) -> None:
        if self.verdict.readable != bool(self.achieved):
            raise ValueError(
                f"a {self.verdict} judgement must{'' if self.verdict.readable else ' not'}"
                f" say which subgoals were achieved, got {dict(self.achieved)}"
            )

    def row(self, subgoals: Sequence[Subgoal]) -> list[int]:
        """Returns the answer by subgoal, (G,) int: 1 yes, 0 no, -1 unreadable."""
        if not self.verdict.readable:
            return [-1] * len(subgoals)
        return [int(self.achieved[s.name]) for s in subgoals]
