"""An owner of questions is killed while three processes ask: nothing is lost, nothing asked twice.

Beyond what was in flight, which nobody had been outputs: at most as many as were asked at once.
"""

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from calm.loopback import Loopback
from calm.store.store import Store
from tests.support.processes import eventually, line, python, running

TEXTS, AT_ONCE = 60, 4
ASKER = f"""
import hashlib
from calm.judges import make_judge
from calm.records import Subgoal, Task, Transition
task = Task("Room-v0", "Find the stairs.", (Subgoal("pick up the key", "It is taken."),))
steps = [
    Transition(task.id, {{"events": f"Action {{i}}." + " The key entered." * (i % 3 == 0)}}, "")
    for i in range({TEXTS})
]
judge = make_judge("openai:m")
answers = judge.judge(task, task.subgoals, steps)
said = repr([(j.verdict.value, dict(j.achieved), j.raw) for j in answers])
print(len(answers), judge.usage.requests, hashlib.sha256(said.encode()).hexdigest(), flush=True)
"""


def expected() -> str:
    """The hash of what every asker should get."""
    answers = []
    for i in range(TEXTS):
        yes = i % 3 == 0
        raw = f'{{"pick up the key": {str(yes).lower()}}}'
        answers.append(("ok", {"pick up the key": yes}, raw))
    return hashlib.sha256(repr(answers).encode()).hexdigest()


@pytest.mark.slow
def test_an_owner_killed_in_the_middle_loses_and_repeats_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    with Loopback({"pick up the key": ("key entered",)}, latency=0.05) as server:
        serve = ("-m", "calm", "owner", "serve", "--store", store, "--base-url", server.url)
        serve += ("--concurrency", AT_ONCE)
        with python(*serve, cwd=tmp_path) as first:
            url = line(first).partition("=")[2]
            file = line(first).partition("=")[2]
            variables = {"CALM_OWNER": url, "CALM_OWNER_TOKEN_FILE": file, "CALM_OWNER_WAIT": "200"}
            asker = ("-c", ASKER)
            with (
                python(*asker, env=variables, cwd=tmp_path) as a,
                python(*asker, env=variables, cwd=tmp_path) as b,
                python(*asker, env=variables, cwd=tmp_path) as c,
            ):
                assert eventually(lambda: server.requests >= 15, 120)
                os.kill(first.pid, signal.SIGKILL)
                first.wait(30)
                time.sleep(0.5)  # what was in flight comes to nobody
                before = server.requests
                assert before < TEXTS
                with python(*serve, cwd=tmp_path) as second:
                    assert line(second).partition("=")[2] == url
                    outputs = [line(process).split() for process in (a, b, c)]
                    pids = [process.pid for process in (a, b, c, first, second)]
                    second.terminate()
                    assert second.wait(60) == 143
    assert [one[0] for one in outputs] == [str(TEXTS)] * 3
    assert {one[2] for one in outputs} == {expected()}
    assert len(server.answered) == TEXTS
    assert TEXTS <= server.requests <= TEXTS + AT_ONCE
    assert eventually(lambda: not any(map(running, pids)), 60)
    with Store(store) as opened:
        assert opened.database.value("SELECT count(*) FROM answers WHERE verdict = 'ok'") == TEXTS
        assert opened.database.problems() == []
