"""Claims of two workers on one cell: one holds, a dead one's is taken over, whatever clocks say."""

import errno
import os
import time
from pathlib import Path

import pytest

from agents.cluster import claims
from agents.cluster.claims import Claims


class Clock:
    """A clock of each worker's own, that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(claims.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def no_steps() -> int:
    return 0


def no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_one_of_two_workers_holds_a_cell(tmp_path: Path) -> None:
    ann, bob = Claims(tmp_path), Claims(tmp_path)
    assert ann.take(no_steps)
    assert not bob.take(no_steps)
    ann.release("released")
    assert bob.take(no_steps)
    assert bob.losses == 0


def test_a_done_or_failed_cell_is_not_claimed_again(tmp_path: Path) -> None:
    for state in ("done", "failed"):
        ann, bob = Claims(tmp_path / state), Claims(tmp_path / state)
        assert ann.take(no_steps)
        ann.release(state, "a reason")
        assert not bob.take(no_steps)
        latest = bob.latest()
        assert latest is not None
        assert (latest.state, latest.reason) == (state, "a reason")


def test_on_a_full_disk_the_last_sign_of_life_stays_and_the_worker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = Claims(tmp_path), Claims(tmp_path)
    assert ann.take(no_steps)
    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", no_space)
        with pytest.raises(OSError, match="No space left"):
            ann.beat()
        latest = bob.latest()
        assert latest is not None
        assert latest.state == "held"
        ann.release("done")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1"]
    assert not bob.take(no_steps)  # until it is taken for dead


def test_a_holder_without_signs_of_life_is_dead_after_a_while(tmp_path: Path, clock: Clock) -> None:
    ann, bob = Claims(tmp_path, dead_seconds=60), Claims(tmp_path, dead_seconds=60)
    assert ann.take(no_steps)
    assert not bob.take(no_steps)  # sees it for the first time: its minute begins now
    clock.now += 59
    assert ann.beat()
    assert not bob.take(no_steps)
    clock.now += 59
    assert not bob.take(no_steps)  # 59 seconds after the sign that it saw last
    clock.now += 2
    assert bob.take(no_steps)
    assert bob.losses == 1
    assert not ann.beat()  # it comes back and sees that it has lost the cell
    ann.release("done")  # which it can say no more
    assert not ann.take(no_steps)
    latest = ann.latest()
    assert latest is not None
    assert latest.state == "held"


def test_a_file_of_the_future_or_the_past_is_no_reason_to_take_a_claim(
    tmp_path: Path, clock: Clock
) -> None:
    """The holder's machine has a clock that is wrong by an hour, either way."""
    ann, bob = Claims(tmp_path, dead_seconds=60), Claims(tmp_path, dead_seconds=60)
    assert ann.take(no_steps)
    for hour in (-3600, 3600):
        os.utime(tmp_path / "1", (time.time() + hour,) * 2)
        assert not bob.take(no_steps)
        clock.now += 30
        assert ann.beat()


def test_losses_are_counted_until_a_later_checkpoint(tmp_path: Path) -> None:
    steps = iter([0, 0, 500, 500, 500])
    worker = Claims(tmp_path)
    losses = []
    assert worker.take(no_steps)
    for _ in range(5):
        worker.release("lost")
        assert worker.take(lambda: next(steps))
        losses.append(worker.losses)
    assert losses == [1, 2, 0, 1, 2]


def test_of_many_who_see_the_same_dead_holder_one_takes_over(tmp_path: Path, clock: Clock) -> None:
    dead = Claims(tmp_path, dead_seconds=60)
    assert dead.take(no_steps)
    workers = [Claims(tmp_path, dead_seconds=60) for _ in range(5)]
    assert not any(worker.take(no_steps) for worker in workers)
    clock.now += 61
    assert sum(worker.take(no_steps) for worker in workers) == 1


def test_a_claim_that_is_half_written_counts_as_held(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "1").write_text('{"holder": "an')
    worker = Claims(tmp_path, dead_seconds=60)
    assert not worker.take(no_steps)
    clock.now += 61
    assert worker.take(no_steps)
