"""What a judge is: text in, judgements out, sync or async.

Kinds (`calm.judges.make_judge` builds one from its spec):
`local:MODEL` a model on this machine · `openai:MODEL` any OpenAI-compatible endpoint ·
`rules` written rules over the same text · `replay` only what a store holds ·
`always-yes`, `always-no`, `random:P` baselines that ignore the text ·
`student:JUDGE` learns from another judge's answers, and asks it where it is not sure.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from calm.records import Judgement, Mode, Subgoal, Task, Transition, Usage

if TYPE_CHECKING:
    from calm.asking.estimate import Plan
    from calm.asking.form import Form
    from calm.asking.tally import Tally
    from calm.endpoint.client import Endpoint
    from calm.endpoint.envelope import Reply
    from calm.store.question import Context, Question
    from calm.store.store import Store

T = TypeVar("T")


@runtime_checkable
class Judge(Protocol):
    """Decides, for each transition, which of the subgoals it achieved.

    A judge reads `transition.texts[self.mode]` and nothing else of the game.
    """

    @property
    def name(self) -> str:
        """Returns the spec that builds it again, e.g. `openai:gpt-5-mini`."""

    @property
    def mode(self) -> Mode:
        """Returns which description it reads."""

    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns one judgement for each transition, in the same order."""

    async def ajudge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns the same, for callers that run an event loop."""


@runtime_checkable
class RemoteJudge(Judge, Protocol):
    """A judge that asks a model at an endpoint: it takes time and money, and answers are stored."""

    model: str
    """The model's name, as the endpoint knows it."""
    store: Store
    """Where every answer goes through."""
    endpoint: Endpoint
    params: dict[str, Any]
    """Sampling parameters, part of every answer's key."""
    free_params: dict[str, Any]
    """The same without what the form of question and answer adds."""
    form: Form
    """How it asks, see `calm.asking.form`."""

    @property
    def usage(self) -> Usage:
        """Returns what this judge has spent, failed attempts included."""

    def judge(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
        *,
        tally: Tally | None = None,
    ) -> list[Judgement]:
        """Returns one judgement for each transition; counts on `tally` what is done meanwhile."""

    async def ajudge(
        self,
        task: Task,
        subgoals: Sequence[Subgoal],
        transitions: Sequence[Transition],
        *,
        tally: Tally | None = None,
    ) -> list[Judgement]:
        """Returns the same, for callers that run an event loop."""

    def recall(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement | None]:
        """Returns what the store answers, without asking; None where it does not."""

    def plan(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> Plan:
        """Returns what asking would take; asks nothing."""

    def paid(self, task: Task, subgoals: Sequence[Subgoal]) -> Usage:
        """Returns what questions about these subgoals have cost so far, whichever run paid."""

    def count_paid(self, task: Task, subgoals: Sequence[Subgoal]) -> None:
        """Counts what they have cost before this run towards the limits, once."""

    def ask_once(
        self, context: Context, question: Question, schema: Mapping[str, Any] | None, store: Store
    ) -> Reply:
        """Returns the reply to a question in no form, which is in the store then, unread."""

    def context(self, task: Task, subgoals: Sequence[Subgoal]) -> Context:
        """Returns all of the key of an answer but the text and the sample number."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of a coroutine on the event loop where the connections live."""

    def close(self) -> None:
        """Closes the connections; the store stays open for whoever opened it."""


class Immediate:
    """Gives a judge whose answers need no waiting its async form: `ajudge` calls `judge`."""

    async def ajudge(
        self: _Immediate, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]:
        """Returns what `judge` returns."""
        return self.judge(task, subgoals, transitions)


class _Immediate(Protocol):
    def judge(
        self, task: Task, subgoals: Sequence[Subgoal], transitions: Sequence[Transition]
    ) -> list[Judgement]: ...
