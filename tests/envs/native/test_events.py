"""Numbers and credit of events in C are those of Python."""

from __future__ import annotations

import numpy as np
import pytest

from calm.credit import Credit, CreditMode
from calm.errors import UsageError
from envs.events.sight import Sight
from envs.events.stream import EventStream
from envs.implementations import make_event_stream
from envs.native.build import built
from envs.native.events import NativeCredit, NativeEventStream
from envs.stepping.batch import Batch


def test_same_ids_and_texts_also_when_the_table_grows() -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-Room-Ultimate-15x15-v0"
    rng = np.random.default_rng(2)
    with Batch(task, 8, Sight.keys, seed=4, workers=1) as batch:
        plain, native = EventStream(task, batch), NativeEventStream(task, batch, stepper)
        native._make_table(1)
        batch.observers += [plain, native]
        batch.reset()
        for _ in range(300):
            batch.step(rng.integers(batch.n_actions, size=8))
            assert np.array_equal(plain.ids, native.ids)
        assert plain.texts == native.texts
        assert len(plain.texts) > 20
        assert native._table.size >= 2 * len(native._by_signature) > 8


def test_the_second_version_has_the_same_ids_and_texts_in_both() -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-Quest-Easy-v0"
    rng = np.random.default_rng(2)
    with Batch(task, 8, Sight.keys, seed=4, workers=1, descriptions=2) as batch:
        plain, native = EventStream(task, batch), NativeEventStream(task, batch, stepper)
        batch.observers += [plain, native]
        batch.reset()
        for _ in range(150):
            batch.step(rng.integers(batch.n_actions, size=8))
            assert np.array_equal(plain.ids, native.ids)
        assert plain.texts == native.texts
        assert len(native._by_signature) > len(native.texts)  # keys that are told as one
        answers = [text for text in native.texts if ", answering" in text]
        assert answers
        assert all(text.startswith('Action: a key, answering "') for text in answers)


def test_a_batch_without_the_keys_can_still_be_played() -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-Room-5x5-v0"
    with Batch(task, 2, workers=1) as batch:
        for make in (EventStream, make_event_stream):
            with pytest.raises(UsageError, match="reads inv_glyphs; add"):
                make(task, batch)
        batch.reset()
        for _ in range(3):
            assert not any(part.any() for part in batch.step([0, 0])[1:])


def test_nothing_is_paid_through_what_is_gone() -> None:
    stepper = built()
    assert stepper is not None
    task = "MiniHack-Room-5x5-v0"
    with Batch(task, 2, Sight.keys, workers=1) as batch:
        stream = NativeEventStream(task, batch, stepper)
        header = stream._header
        pay = NativeCredit(batch.status, [1, 1], once=True)
        stream.pay_with(pay)
        batch.observers.append(stream)
        batch.reset()
        batch.step([0, 0])
        assert header.pay == pay.address
        assert header.table == stream._table.address
        batch.observers.clear()
        del stream
        assert header.pay == header.table == 0
        batch.step([0, 0])


@pytest.mark.parametrize("mode", ["once", "every"])
@pytest.mark.parametrize("workers", [0, 2])
def test_pays_what_credit_pays(mode: CreditMode, workers: int) -> None:
    """Whatever is said of the events: yes, no, unreadable or nothing yet."""
    stepper = built()
    assert stepper is not None
    task, n, subgoals, times = "MiniHack-KeyRoom-S5-v0", 3, 5, [1, 3, 1, 6, 2]
    rng = np.random.default_rng(3)
    with Batch(task, n, Sight.keys, seed=4, workers=workers) as batch:
        stream = NativeEventStream(task, batch, stepper)
        pay = NativeCredit(batch.status, times, once=mode == "once")
        stream.pay_with(pay)
        credit = Credit(n, subgoals, mode, times=times)
        batch.observers.append(stream)
        batch.reset()
        answers = np.zeros((0, subgoals), np.int8)
        late = 0
        for step in range(900):
            if step == 500:  # answers may change: one that could not be read is asked for again
                answers = np.maximum(answers, 0)
                pay.set_answers(answers)
            _, terminated, truncated = batch.step(rng.integers(batch.n_actions, size=n))
            if not stream.paid:
                late += 1
                new = len(stream.texts) - len(
                    answers
                )  # 0 where only a number in the message is new
                drawn = rng.choice([0, 0, 0, 0, 1, -1, -2], size=(new, subgoals))
                answers = np.concatenate([answers, drawn.astype(np.int8)])
                pay.set_answers(answers)
                assert stream.number()
            achieved = answers[stream.ids]
            expected = credit.step(achieved, terminated, truncated)
            np.testing.assert_allclose(pay.credit, expected, rtol=1e-6, err_msg=f"step {step}")
            assert np.array_equal(pay.progress, credit.progress)
            ended = terminated | truncated
            assert np.array_equal(pay.final_progress[ended], credit.final_progress[ended])
        assert (pay.unreadable, pay.pending) == (credit.unreadable, credit.pending)
        assert min(late, pay.unreadable, pay.pending) > 20
