"""Who waits for what, and whose turn it is: the bookkeeping of an owner, without a network."""

import asyncio
from types import SimpleNamespace
from typing import Any

from calm.asking.prompt import JudgePrompt
from calm.errors import StoreError
from calm.owner.questions import Ask, Line, OpenContext, Questions, _Group
from calm.records import Judgement, Subgoal, Task, Verdict
from calm.store.question import Context, Question

KEY = Subgoal("key", "The key is taken.")
PROMPT = JudgePrompt(Task("T", "goal"), (KEY,))
CONTEXT = Context("T", (KEY,), "m", "events", PROMPT.template, PROMPT.hash)
YES = Judgement(Verdict.OK, {"key": True}, raw="yes")


class Asker:
    """Answers each question when it is let to; `asked` holds those it was asked."""

    repair = False
    again: frozenset[Verdict] = frozenset()
    per_request = 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.after = asyncio.Event()
        self.after.set()

    def stored(self, context: Context, questions: list[Question]) -> dict[bytes, Judgement]:
        return {}

    async def ask(self, context: Any, prompt: Any, questions: Any, tally: Any, told: Any) -> None:
        self.asked += [q.text for q in questions]
        await self.go.wait()
        for question in questions:
            told(question.key, YES, False)
        await self.after.wait()


def opened(asker: Any, model: Any) -> OpenContext:
    one = OpenContext(model, CONTEXT, asker)
    one.open_prompt(PROMPT)
    return one


def question(text: str) -> Question:
    return Question(CONTEXT.key(text), text)


class Model:
    """A model of which so many questions are asked at once."""

    def __init__(self, cap: int) -> None:
        self.endpoint = SimpleNamespace(pace=SimpleNamespace(cap=cap))


def test_askers_take_turns_in_a_line() -> None:
    line, many, few = Line(), Ask("many"), Ask("few")
    context: Any = None
    for i in range(3):
        line.put(_Group(many, context, [question(f"m{i}")]))
    line.put(_Group(few, context, [question("f0")]))
    order = [group.questions[0].text for _ in range(4) if (group := line.take())]
    assert order == ["m0", "f0", "m1", "m2"]
    assert line.take() is None


def test_a_question_that_two_wait_for_is_asked_once_and_paid_by_the_first() -> None:
    async def run() -> None:
        asker, questions, first, second = Asker(), Questions(), Ask("a"), Ask("b")
        one = opened(asker, Model(4))
        questions.ask(first, one, [question("x")])
        questions.ask(second, one, [question("x"), question("y")])
        await asyncio.sleep(0)
        asker.go.set()
        await asyncio.sleep(0.01)
        assert sorted(asker.asked) == ["x", "y"]
        assert (first.waiting, second.waiting) == (set(), set())
        assert [paid for _, paid in first.answers] == [1]
        assert sorted(paid for _, paid in second.answers) == [0, 1]

    asyncio.run(run())


def test_what_lands_while_another_asks_it_is_handed_on_and_never_dropped() -> None:
    async def run() -> None:
        asker, questions, first, second = Asker(), Questions(), Ask("a"), Ask("b")
        asker.after.clear()
        one = opened(asker, Model(4))
        questions.ask(first, one, [question("x")])
        asker.go.set()
        await asyncio.sleep(0.01)  # it has landed, and its asking has not ended
        questions.ask(second, one, [question("x")])
        assert [paid for _, paid in second.answers] == [0]
        questions._cache.clear()
        third = Ask("c")
        questions.ask(third, one, [question("x")])
        asker.after.set()
        await asyncio.sleep(0.01)
        assert third.error is None
        assert len(third.answers) == 1

    asyncio.run(run())


def test_whose_reading_fails_is_told_and_the_others_have_their_answer() -> None:
    class Mending(Asker):
        repair = True

        def stored(self, context: Context, questions: list[Question]) -> dict[bytes, Judgement]:
            raise StoreError("the disk is full")

    async def run() -> None:
        asker, questions, model = Asker(), Questions(), Model(4)
        first, second, third = Ask("a"), Ask("b"), Ask("c")
        questions.ask(first, opened(asker, model), [question("x")])
        questions.ask(second, opened(Mending(), model), [question("x")])
        questions.ask(third, opened(asker, model), [question("x")])
        asker.go.set()
        await asyncio.sleep(0.01)
        assert [len(ask.answers) for ask in (first, second, third)] == [1, 0, 1]
        assert "the disk is full" in str(second.error)

    asyncio.run(run())


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def run() -> None:
        asker, questions, gone, there = Asker(), Questions(), Ask("gone"), Ask("there")
        one = opened(asker, Model(1))
        questions.ask(gone, one, [question(t) for t in ("a", "b", "c")])
        await asyncio.sleep(0)
        questions.ask(there, one, [question("c")])
        gone.ended = True
        asker.go.set()
        await asyncio.sleep(0.01)
        assert asker.asked == ["a", "c"]
        assert len(there.answers) == 1

    asyncio.run(run())


def test_an_answer_that_is_no_longer_in_memory_is_looked_up() -> None:
    async def run() -> None:
        questions = Questions()
        one = opened(Asker(), Model(1))
        assert await questions.look_up(one, [question("x").key]) == []

    asyncio.run(run())
