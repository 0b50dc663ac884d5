"""What the store keys answers by, and what it keeps of each question and answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from calm.endpoint.envelope import Reply
from calm.records import Subgoal, Verdict, content_hash, subgoals_hash


@dataclass(frozen=True)
class Context:
    """What questions have in common: all of an answer's key but the text and the sample number."""

    task: str
    subgoals: tuple[Subgoal, ...]
    model: str
    mode: str = ""
    template: str = ""
    prompt: str = ""
    """Hash of all that a model is shown but the transition: template, goal, legend, subgoals."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters."""
    kind: str = "judge"

    @cached_property
    def components(self) -> dict[str, str]:
        """Returns the parts of the key by name, as `calm store why` compares them."""
        return {
            "kind": self.kind,
            "task": self.task,
            "mode": self.mode,
            "subgoals": subgoals_hash(self.subgoals),
            "prompt": self.prompt,
            "model": self.model,
            "params": json.dumps(dict(self.params), sort_keys=True),
        }

    @cached_property
    def hash(self) -> str:
        """Returns the hash of all parts of the key, 64 hex digits."""
        return content_hash(self.components)

    def key(self, text: str, sample: int = 0) -> bytes:
        """Returns the key of the answer about one transition's text, 32 bytes."""
        return hashlib.sha256(
            f"{self.hash}\n{sample}\n{text}".encode("utf-8", "surrogatepass")
        ).digest()


class Question(NamedTuple):
    """One text to ask about, as sample number `sample`, under its key."""

    key: bytes
    text: str
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: how it was read, and the reply it came in."""

    verdict: Verdict | None
    """None: kept, but nobody has read it yet."""
    achieved: tuple[int, ...]
    confidence: tuple[float, ...] | None
    reason: str
    item: int
    items: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Reading:
    """How one answer was read."""

    key: bytes
    verdict: Verdict
    achieved: tuple[int, ...] = ()
    confidence: tuple[float, ...] | None = None
    reason: str = ""
