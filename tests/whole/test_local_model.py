"""A real model on this machine: pulled, listed, asked from two processes at once, and gone."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calm.errors import CalmError
from calm.judges import make_judge
from calm.judges.local import LocalJudge
from calm.local.pull import pull
from calm.records import Subgoal, Task, Transition, Verdict
from calm.store.store import Store
from tests.support.processes import eventually, running
from tests.support.standin import processes_of

ROOT = Path(__file__).parents[2]
SUBGOALS = (
    Subgoal("pick up the key", "The key enters the inventory."),
    Subgoal("open the door", "A closed door opens."),
)
TASK = Task("Room-v0", "Find the stairs.", SUBGOALS)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SmolLM2-135M by its package, or a skip that says why."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        models = os.environ.get("CALM_MODELS")
        patch.setenv("CALM_MODELS", models or str(folder / "models"))
        try:
            pull("smollm2-135m")
        except CalmError as error:
            pytest.skip(f"SmolLM2-135M can't be fetched: {error}")
        yield "smollm2-135m"
    shutil.rmtree(folder, ignore_errors=True)


def transitions(*texts: str) -> list[Transition]:
    return [Transition(TASK.id, {"events": text}, "") for text in texts]


def test_it_judges_and_its_server_is_gone_afterwards(model: str, tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        judge = make_judge(f"local:{model}", store=store, threads=1, slots=2)
        assert isinstance(judge, LocalJudge)
        texts = ("Action: north.", "Action: pick up.\nThe key entered the inventory.")
        judged = judge.judge(TASK, SUBGOALS, transitions(*texts))
        assert [j.verdict for j in judged] == [Verdict.OK] * 2  # the schema is enforced
        assert judge.model == "local:smollm2-135m@b179c9523d0e"
        assert judge.usage.prompt_tokens > 200
        pids = processes_of(judge.lease)
        judge.close()
    assert eventually(lambda: not any(running(pid) for pid in pids))


def test_a_prompt_that_is_too_long_is_an_error_of_its_row(model: str) -> None:
    judge = make_judge(f"local:{model}", threads=1, slots=1, context=512, max_tokens=64)
    assert isinstance(judge, LocalJudge)
    judged = judge.judge(TASK, SUBGOALS, transitions("Action: north.", "The hero moved. " * 300))
    judge.close()
    judge.lease.wait_for_end()
    assert judged[0].verdict is Verdict.OK
    assert judged[1].verdict is Verdict.ERROR
    assert "exceeds the available context size (512 tokens)" in judged[1].reason


JUDGE = """
import sys
from calm.judges import make_judge
from tests.whole.test_local_model import SUBGOALS, TASK, transitions
judge = make_judge(sys.argv[1], threads=1)
judged = judge.judge(TASK, SUBGOALS, transitions("Action: north."))
print(judge.lease.state()["server"], judged[0].verdict.value)
judge.close()
"""


def test_two_processes_share_it(model: str) -> None:
    with_lease = make_judge(f"local:{model}", threads=1)
    assert isinstance(with_lease, LocalJudge)
    with_lease.lease.wait()
    command = [sys.executable, "-c", JUDGE, f"local:{model}"]
    others = [
        subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = {other.communicate()[0].strip() for other in others}
    assert outputs == {f"{with_lease.lease.state()['server']} ok"}
    with_lease.close()
    with_lease.lease.wait_for_end()


def test_the_commands_know_it(model: str, tmp_path: Path) -> None:
    def calm(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "calm", *args]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    listed = json.loads(calm("models", "list", "--json").stdout)["models"]
    (row,) = [r for r in listed if r["name"] == model]
    assert row["path"]
    assert row["licence"] == "Apache-2.0"
    assert not row["problem"]
    with subprocess.Popen(
        [sys.executable, "-m", "calm", "models", "serve", model, "--threads", "1"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        address = serving.stdout.readline().strip()
        store = str(tmp_path / "s.sqlite")
        probed = calm("probe", address, "--no-concurrency", "--json", "--store", store)
        serving.terminate()
    card = json.loads(probed.stdout)
    assert card["model"] == "local:smollm2-135m@b179c9523d0e"
    assert card["format"] == "schema"
    assert card["logprobs"]
    assert card["usage"]
    assert card["context"] == 4096
