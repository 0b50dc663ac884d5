"""The commands as a user types them: what they print, and how they end."""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

from calm.cli.main import main
from calm.errors import StoreError
from calm.judges import make_judge
from calm.loopback import Loopback
from calm.loopback.faults import Wire, error
from calm.records import Subgoal, Task, Transition
from calm.store.store import Store

TASK_FILE = """
id: Kitchen-v0
goal: Serve the soup.
actions: [go north, take, pour]
subgoals:
  - {name: take the ladle, definition: The ladle enters the hand.}
  - {name: pour the soup, definition: Soup enters the bowl.}
"""
TASK = Task(
    "Kitchen-v0",
    "Serve the soup.",
    (
        Subgoal("take the ladle", "The ladle enters the hand."),
        Subgoal("pour the soup", "Soup enters the bowl."),
    ),
    ("go north", "take", "pour"),
)
RULES = {"take the ladle": ("ladle enters",), "pour the soup": ("soup enters",)}


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def calm(*args: object, cwd: Path) -> Done:
    """Runs the command in this process, as `python -m calm` would."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["calm", *map(str, args)])
        patch.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task file, and a store with three answers of which one is prose."""
    (tmp_path / "task.yaml").write_text(TASK_FILE)
    texts = ["The ladle enters the hand.", "The soup enters the bowl.", "It rains."]
    with (
        Loopback(RULES, script=["500", "prose"]) as server,
        Store(tmp_path / "calm.sqlite") as store,
    ):
        judge = make_judge("openai:m", base_url=server.url, store=store, concurrency=1)
        many = [Transition("Kitchen-v0", {"events": t}, "") for t in texts]
        judge.judge(TASK, TASK.subgoals, many)
    return tmp_path


def test_stats_count_answers_and_every_attempt(folder: Path) -> None:
    done = calm("store", "stats", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answers"] == [
        {"kind": "judge", "model": "m", "task": "Kitchen-v0", "mode": "events",
         "verdicts": {"invalid": 1, "ok": 2}}
    ]  # fmt: skip
    assert found["models"]["m"]["attempts"] == 4
    assert found["models"]["m"]["failed"] == {"500": 1}
    assert found["models"]["m"]["cost"] is None
    shown = calm("store", "stats", cwd=folder).stdout
    assert "price not known" in shown
    assert "500 1" in shown


def test_why_names_the_part_of_the_key_that_differs(folder: Path) -> None:
    base = ("store", "why", "task.yaml", "It rains.", "--judge")
    there = calm(*base, "openai:m", cwd=folder)
    assert (there.returncode, there.stdout) == (0, "stored, and read as: ok\n")
    for args, part, asked, stored in (
        (("openai:n",), "model", "n", "m"),
        (("openai:m", "--mode", "screen"), "mode", "screen", "events"),
        (("openai:m", "--max-tokens", 7), "params", '"max_tokens": 7', '"max_tokens": 1024'),
    ):
        done = calm(*base, *args, "--json", cwd=folder)
        assert done.returncode == 1
        (difference,) = json.loads(done.stdout)["differences"]
        assert difference["part"] == part
        assert asked in difference["asked"]
        assert stored in difference["stored"]
    other = calm(*base[:3], "It pours.", "--judge", "openai:m", "--json", cwd=folder)
    (difference,) = json.loads(other.stdout)["differences"]
    assert difference == {"part": "text", "asked": "It pours.", "stored": "It rains."}


def test_why_knows_a_run_that_took_log_probabilities(folder: Path) -> None:
    rain = Transition("Kitchen-v0", {"events": "It snows."}, "")
    with Loopback(RULES, logprobs=True) as server, Store(folder / "calm.sqlite") as store:
        judge = make_judge("openai:m", base_url=server.url, store=store, logprobs=True)
        judge.judge(TASK, TASK.subgoals, [rain])
    base = ("store", "why", "task.yaml", "It snows.", "--judge", "openai:m")
    assert calm(*base, cwd=folder).returncode == 1
    assert calm(*base, "--logprobs", cwd=folder).stdout == "stored, and read as: ok\n"


def test_verify_says_what_is_well_and_what_is_damaged(folder: Path) -> None:
    done = calm("store", "verify", cwd=folder)
    assert done.returncode == 0
    assert "3 answers" in done.stdout
    path = folder / "calm.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 9] = bytes(4096 * 6)
    path.write_bytes(content)
    done = calm("store", "verify", cwd=folder)
    assert done.returncode == 6
    assert "damaged" in done.stderr
    assert path.read_bytes() == content


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
        given = make_judge("replay:m", store=store)
        known = Transition("Kitchen-v0", {"events": "The soup enters the bowl."}, "")
        assert given.judge(TASK, TASK.subgoals, [known])[0].achieved["pour the soup"]
        asker = make_judge("openai:m", store=store, base_url="http://127.0.0.1:9/v1")
        assert asker.judge(TASK, TASK.subgoals, [known])[0].achieved["pour the soup"]
        new = Transition("Kitchen-v0", {"events": "Nobody has asked this."}, "")
        with pytest.raises(StoreError, match=r"1 of 1 questions .* can only be read, so none is"):
            asker.judge(TASK, TASK.subgoals, [new])


def test_decompose_asks_shows_keeps_and_writes(folder: Path) -> None:
    named = [("find the bowl", "The bowl comes into view."), ("fill the bowl", "It is full.")]
    with Loopback(subgoals=named) as server:
        args = ("decompose", "task.yaml", "--judge", "openai:m", "--base-url", server.url)
        done = calm(*args, "--out", "subgoals.yaml", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "1. find the bowl: The bowl comes into view." in done.stdout
        again = json.loads(calm(*args, "--json", cwd=folder).stdout)
        assert server.requests == 1
    assert [s["name"] for s in again["subgoals"]] == ["find the bowl", "fill the bowl"]
    assert "find the bowl" in (folder / "subgoals.yaml").read_text()
    given = json.loads(calm("decompose", "task.yaml", "--json", cwd=folder).stdout)
    assert [s["name"] for s in given["subgoals"]] == ["take the ladle", "pour the soup"]


def test_probe_prints_the_card(folder: Path) -> None:
    with Loopback(RULES) as server:
        done = calm("probe", server.url, "--no-concurrency", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["model"] == "loopback"
        # It judges and names subgoals; what the probe asks is beyond it, and that is said.
        assert "the simplest answer could not be read (invalid: missing: sky, grass" in done.stderr
        wrong = server.url.replace("/v1", "/wrong")
        done = calm("probe", wrong, cwd=folder)
    assert done.returncode == 5
    assert f"{wrong} knows no such page" in done.stderr
    assert "model" not in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
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
    args: tuple[str, ...], code: int, said: str, folder: Path
) -> None:
    done = calm(*args, cwd=folder)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "task.yaml").read_text() == TASK_FILE


def test_what_an_endpoint_says_of_its_fault_is_shown_without_control_characters(
    folder: Path,
) -> None:
    class Rude(Loopback):
        def respond(self, method: str, path: str, key: str, content: bytes) -> Wire:
            return error(404, "no such \x1b[2J\x1b]0;model\x07")

    with Rude(RULES) as server:
        args = ("decompose", "task.yaml", "--judge", "openai:m", "--base-url", server.url)
        done = calm(*args, cwd=folder)
    assert done.returncode == 5
    assert "no such" in done.stderr
    assert all(c.isprintable() or c == "\n" for c in done.stderr)


def test_a_warning_is_one_line_without_its_place_in_the_code(folder: Path) -> None:
    said = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        calm("--help", cwd=folder)
        with contextlib.redirect_stderr(said):
            warnings.warn("it is \x1b[2J old", stacklevel=1)
    (line,) = said.getvalue().splitlines()
    assert line.startswith("calm: warning: it is ")
    assert line.isprintable()
