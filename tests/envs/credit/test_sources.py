"""Who says what a step achieved: an annotator, the truth, or a source of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from calm.annotation.live import Annotator
from calm.errors import UsageError
from calm.records import Judgement, Subgoal, Transition, Verdict
from envs.credit import sources
from envs.credit.noisy import NoisyTruth
from envs.credit.sources import JudgeSource, keys_of, make_source
from envs.events.stream import EventStream
from envs.stepping.batch import Batch
from envs.tasks import task as find_task
from envs.truth.make import KEYS as TRUTH_KEYS
from envs.truth.stream import TruthStream
from tests.support.scripted_judge import Scripted

TASK = find_task("KeyRoom-S5")
SUBGOALS = (Subgoal("moves", "The hero moves."), Subgoal("never", "Never so."))


@pytest.fixture
def batch() -> Iterator[Batch]:
    keys = tuple(dict.fromkeys((*EventStream.keys, *TRUTH_KEYS)))
    with Batch(TASK.id, 3, keys, workers=0, native=False) as fresh:
        yield fresh


class Moves:
    """A judge that says whether the hero moved, and counts how often it is asked about a text."""

    def __init__(self) -> None:
        self.questions: Counter[str] = Counter()
        self.down = False
        self.judge = Scripted("moves", self.answer)

    def answer(self, subgoals: Sequence[Subgoal], transition: Transition) -> Judgement:
        text = transition.texts["events"]
        self.questions[text] += 1
        if self.down:
            return Judgement(Verdict.ERROR, reason="no answer")
        if "No message" not in text and "Message" in text:
            return Judgement(Verdict.INVALID, reason="unreadable")
        return Judgement(Verdict.OK, {"moves": moved(text), "never": False})


def moved(text: str) -> bool:
    return "The hero did not move." not in text


def texts_of_steps(batch: Batch, source: JudgeSource, steps: int) -> Iterator[list[str]]:
    """Yields the events of each step of random play, by row."""
    batch.observers.append(source)
    batch.reset()
    rng = np.random.default_rng(0)
    for _ in range(steps):
        batch.step(rng.integers(batch.n_actions, size=3))
        yield [source.stream.texts[i] for i in source.stream.ids]


def test_a_judge_is_asked_once_about_each_event(batch: Batch) -> None:
    judge = Moves()
    source = make_source(Annotator(judge.judge, TASK, SUBGOALS), batch, SUBGOALS)
    assert isinstance(source, JudgeSource)
    for texts in texts_of_steps(batch, source, 60):
        for row, text in zip(source.achieved.tolist(), texts, strict=True):
            unreadable = "Message" in text and "No message" not in text
            assert row == ([-1, -1] if unreadable else [moved(text), 0])
    assert set(judge.questions.values()) == {1}
    assert len(judge.questions) == len(source.stream.texts)


def test_what_had_no_answer_is_asked_about_again_by_and_by(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "RETRY_EVERY", 5)
    judge = Moves()
    judge.down = True
    source = JudgeSource(batch, Annotator(judge.judge, TASK, SUBGOALS))
    known: set[str] = set()
    for step, texts in enumerate(texts_of_steps(batch, source, 5), 1):
        if step < 5:
            assert (source.achieved == -1).all()
            known |= set(texts)
        if step == 4:
            judge.down = False
    assert all(judge.questions[text] == 2 for text in known)
    assert (source.annotator.table[:, 1] <= 0).all()
    assert (source.annotator.table[:, 1] == 0).any()


def test_the_word_truth_is_the_engines(batch: Batch) -> None:
    source = make_source("truth", batch, TASK.subgoals)
    assert isinstance(source, TruthStream)
    assert source.subgoals == TASK.subgoals
    with pytest.raises(UsageError, match='judge must be an Annotator or "truth"'):
        make_source("rules", batch, TASK.subgoals)
    with pytest.raises(UsageError, match="moves"):
        make_source("truth", batch, SUBGOALS)


def test_a_function_builds_a_source_of_its_own(batch: Batch) -> None:
    built: list[Any] = []

    def build(of: Batch, subgoals: Sequence[Subgoal]) -> Any:
        built.append((of, subgoals))
        return "a source"

    assert make_source(build, batch, SUBGOALS) == "a source"
    assert built == [(batch, SUBGOALS)]


def test_keys_are_those_that_the_source_reads() -> None:
    annotator = Annotator(Moves().judge, TASK, SUBGOALS)
    assert keys_of(None) == ()
    assert keys_of("truth") == TRUTH_KEYS
    assert keys_of(annotator) == EventStream.keys
    assert keys_of(NoisyTruth(0.9, 0.9)) == NoisyTruth.keys
    assert keys_of(lambda batch, subgoals: batch) == ()
