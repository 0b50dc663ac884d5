"""`calm store why`: the part of the key that differs."""

import json
from pathlib import Path

from calm.judges import make_judge
from calm.loopback import Loopback
from calm.records import Transition
from calm.store.store import Store
from tests.support.kitchen import RULES, TASK, calm


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
