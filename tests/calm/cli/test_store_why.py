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


def test_why_knows_forms_that_take_several_questions(folder: Path) -> None:
    """A text of two lines and two subgoals without statements: four questions."""
    text = "The sun shines.\nThe tap runs (before: it dripped)."
    step = Transition("Kitchen-v0", {"events": text}, "")
    with Loopback(answer=lambda body: "No") as server, Store(folder / "calm.sqlite") as store:
        judge = make_judge("openai:lm", base_url=server.url, store=store, form="lines")
        judge.judge(TASK, TASK.subgoals, [step])
        assert server.requests == 2 * len(TASK.subgoals)
    n = 2 * len(TASK.subgoals)
    base = ("store", "why", "task.yaml", text, "--judge", "openai:lm")
    there = calm(*base, "--form", "lines", cwd=folder)
    assert (there.returncode, there.stdout) == (0, f"all {n} questions stored, and read as: ok\n")
    absent = calm(*base, cwd=folder)
    assert absent.returncode == 1
    assert "this model was asked in another form: --form lines" in absent.stdout
    more = text + "\nThe pot boils."
    base = (*base[:3], more, *base[4:])
    partly = calm(*base, "--form", "lines", "--json", cwd=folder)
    assert partly.returncode == 1
    value = json.loads(partly.stdout)
    assert (value["questions"], value["missing"]) == (n + len(TASK.subgoals), len(TASK.subgoals))
    assert value["about"][1] == "The pot boils."
    (difference,) = value["differences"]
    assert difference["part"] == "text"
    assert "the first asks of “The pot boils.”: “" in " ".join(
        calm(*base, "--form", "lines", cwd=folder).stdout.split()
    )
