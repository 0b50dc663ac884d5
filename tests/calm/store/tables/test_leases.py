"""A question is asked by one process at a time, and freed when that process is gone."""

import subprocess
import sys

from calm.endpoint.envelope import Call, Reply
from calm.records import Subgoal
from calm.store.question import Context, Question
from calm.store.store import Store

CONTEXT = Context("T", (Subgoal("a", "A."),), "m")


def test_a_question_is_leased_to_one_at_a_time(store: Store) -> None:
    one, two = f"{store.leases.process}:one", f"{store.leases.process}:two"
    keys = [b"k1", b"k2", b"k3"]
    assert store.leases.claim(keys[:2], one, 60) == {b"k1", b"k2"}
    assert store.leases.claim(keys, two, 60) == {b"k3"}
    store.leases.release(one, [b"k1"])
    assert store.leases.claim(keys, two, 60) == {b"k1", b"k3"}  # its own again, and the free one
    store.leases.release(one)
    assert store.leases.claim(keys, two, 60) == {b"k1", b"k2", b"k3"}


def test_an_answered_question_is_not_leased(store: Store) -> None:
    question = Question(CONTEXT.key("x"), "x")
    store.record(CONTEXT, "http://e/v1", Call(1.0, 0.5, reply=Reply("{}")), [question])
    assert store.leases.claim([question.key], "h:1:o", 60) == set()


def test_a_lease_ends_with_its_time_or_its_process(store: Store) -> None:
    store.leases.claim([b"k"], f"{store.leases.process}:late", -1)
    assert store.leases.claim([b"k"], f"{store.leases.process}:next", 60) == {b"k"}
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = store.leases.process.split(":")[0]
    store.leases.release(f"{store.leases.process}:next")
    store.leases.claim([b"k"], f"{host}:{child.pid}:dead", 60)
    assert store.leases.claim([b"k"], f"{store.leases.process}:next", 60) == {b"k"}
    store.leases.release(f"{store.leases.process}:next")
    store.leases.claim([b"k"], "elsewhere:1:alive-for-all-we-know", 60)
    assert store.leases.claim([b"k"], f"{store.leases.process}:next", 60) == set()
