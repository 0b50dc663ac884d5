"""What commands say of a store that is damaged or may only be read, and of what can't be done."""

import json
from pathlib import Path

import pytest

from calm.errors import StoreError
from calm.judges import make_judge
from calm.records import Transition
from calm.store.store import Store
from tests.support.kitchen import TASK, TASK_FILE, calm, make_kitchen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_kitchen(tmp_path)


@pytest.mark.parametrize("command", [("stats",), ("verify",), ("export", "out")])
def test_of_a_store_cut_in_half_it_is_said_what_can_be_done(
    command: tuple[str, ...], folder: Path
) -> None:
    path = folder / "calm.sqlite"
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    done = calm("store", *command, cwd=folder)
    assert done.returncode == 6
    assert "damaged and was left as it is; put back a copy" in done.stderr
    assert path.read_bytes() == half


def test_a_store_that_can_only_be_read_is_read_and_nobody_is_asked(folder: Path) -> None:
    (folder / "calm.sqlite").chmod(0o444)
    stats = json.loads(calm("store", "stats", "--json", cwd=folder).stdout)
    assert stats["texts"] == 3
    assert calm("store", "verify", cwd=folder).returncode == 0
    why = ("store", "why", "task.yaml", "It rains.", "--judge", "openai:m", "--mode", "events")
    assert calm(*why, cwd=folder).stdout == "stored, and read as: ok\n"
    assert calm("store", "export", "shared", cwd=folder).returncode == 0
    with Store(folder / "calm.sqlite") as store:
        judge = make_judge("replay:m", store=store)
        known = Transition("Kitchen-v0", {"events": "The soup enters the bowl."}, "")
        assert judge.judge(TASK, TASK.subgoals, [known])[0].achieved["pour the soup"]
        asker = make_judge("openai:m", store=store, base_url="http://127.0.0.1:9/v1")
        assert asker.judge(TASK, TASK.subgoals, [known])[0].achieved["pour the soup"]
        new = Transition("Kitchen-v0", {"events": "Nobody has asked this."}, "")
        with pytest.raises(StoreError, match=r"1 of 1 questions .* can only be read, so none is"):
            asker.judge(TASK, TASK.subgoals, [new])


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("store", "stats", "--store", "absent"), 2, "no store at absent"),
        (("decompose", "absent.yaml"), 2, "can't read the task"),
        (("decompose", "task.yaml", "--judge", "oracle"), 2, "unknown judge"),
        (("decompose", "task.yaml", "--judge", "always-yes"), 2, "takes local:MODEL"),
        (("decompose", "task.yaml", "--judge", "replay:m"), 2, "takes local:MODEL"),
        (("decompose", "task.yaml", "--judge", "openai:m"), 5, "OPENAI_API_KEY"),
        (("probe", "http://127.0.0.1:9/v1"), 5, "127.0.0.1:9"),
        (("store", "why", "task.yaml", "x", "--judge", "rules"), 2, "openai:MODEL"),
        (("store", "stats", "--store", "task.yaml"), 6, "task.yaml is not a database"),
        (("decompose", "task.yaml", "--store", "task.yaml"), 6, "task.yaml is not a database"),
        (("store", "verify", "--store", "task.yaml"), 6, "task.yaml is not a database"),
        (
            ("decompose", "task.yaml", "--out", "task.yaml/new"),
            2,
            "task.yaml: File exists",
        ),
    ],
)
def test_what_cannot_be_done_ends_with_a_line_and_a_code(
    args: tuple[str, ...], code: int, message: str, folder: Path
) -> None:
    done = calm(*args, cwd=folder)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "task.yaml").read_text() == TASK_FILE
