"""The page over real HTTP on loopback: who is let in, and what it says."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agents.training.run.status import TrainingStatus
from agents.watch.server import application
from agents.watch.truths import KnownTruths
from agents.watch.watching import Watching
from tests.support.local_page import Client, served
from tests.support.measured_runs import rows, run
from tests.support.watched import EVIL, NAMES, write_set, write_store

TOKEN = "a-token-of-some-length"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    run(tmp_path / "runs" / "a", 0, 0.25, 0.5)
    write_store(tmp_path / "runs" / "s.sqlite")
    write_set(tmp_path / "set.parquet")
    truths = KnownTruths([str(tmp_path / "set.parquet")])
    watching = Watching([tmp_path / "runs"], truths)
    with served(partial(application, watching, f"runs {EVIL}", TOKEN)) as client:
        yield client
    watching.close()


def test_the_page_needs_the_token_and_the_right_host(client: Client) -> None:
    status, page, headers = client.ask("GET", f"/{TOKEN}/")
    assert status == 200
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "style=" not in page  # the policy would block it
    assert "unsafe" not in headers["content-security-policy"]
    for path in ("/", "/state", "/wrong/", f"/{TOKEN}x/"):
        assert client.ask("GET", path)[0] == 404
    status, text, _ = client.ask("GET", f"/{TOKEN}/state", Host="evil.example")
    assert (status, "runs" in text) == (403, False)


@pytest.mark.parametrize("path", ["", "state", "run", "judgements", "judgement", "chart/success"])
def test_nothing_can_be_written(client: Client, path: str) -> None:
    own = f"http://127.0.0.1:{client.port}"
    for method in ("POST", "PUT", "DELETE"):
        sent = {"Origin": own, "Content_Length": "0"}
        assert client.ask(method, f"/{TOKEN}/{path}", **sent)[0] == 405
        assert client.ask(method, f"/{TOKEN}/{path}", Content_Length="0")[0] == 403


def test_the_state_comes_whole_and_then_as_what_has_changed(client: Client) -> None:
    state = client.json(f"/{TOKEN}/state")
    kinds = sorted(id.partition(":")[0] for id in state["sections"])
    assert kinds == ["group", "run", "store"]
    again = client.json(f"/{TOKEN}/state", boot=state["boot"], since=state["version"])
    assert again["sections"] == {}
    for since in ("-1", "x", "1" * 30, "٣"):
        status, text, _ = client.ask("GET", f"/{TOKEN}/state?since={since.encode().hex()}q")
        assert (status, "expected the number of a version" in text) == (400, True)


def test_judgements_come_by_what_they_are_and_in_full(client: Client) -> None:
    page = client.json(f"/{TOKEN}/judgements", store="store:0", differs="engine")
    (row,) = page["rows"]
    assert (row["model"], row["differs"]) == ("small", ["engine"])
    full = client.json(f"/{TOKEN}/judgement", store="store:0", key=row["key"])
    assert full["raw"] == f'{{"{NAMES[0]}": false, "{NAMES[1]}": false}}'
    for query, status in (
        ("store=store:0&verdict=good", 400),
        ("store=store:0&after=x", 400),
        ("store=none", 404),
    ):
        assert client.ask("GET", f"/{TOKEN}/judgements?{query}")[0] == status
    for query, status in (("store=store:0&key=zz", 400), ("store=store:0&key=00", 404)):
        assert client.ask("GET", f"/{TOKEN}/judgement?{query}")[0] == status


def test_a_runs_more_and_its_charts_are_had_by_their_ids(client: Client) -> None:
    sections = client.json(f"/{TOKEN}/state")["sections"]
    run_id = next(id for id in sections if id.startswith("run:"))
    group = next(id for id in sections if id.startswith("group:"))
    assert "commands" in client.json(f"/{TOKEN}/run", id=run_id)
    assert client.ask("GET", f"/{TOKEN}/run?id=run:/etc")[0] == 404
    status, svg, headers = client.ask("GET", f"/{TOKEN}/chart/success?group={group}")
    assert (status, svg[:4]) == (200, "<svg")
    assert headers["content-type"].startswith("image/svg+xml")
    assert "script-src" not in headers["content-security-policy"]
    for path in (f"chart/none?group={group}", "chart/success?group=none"):
        assert client.ask("GET", f"/{TOKEN}/{path}")[0] == 404


def test_only_its_own_files_are_served(client: Client) -> None:
    for name in (
        "watch.js",
        "elements.js",
        "sections.js",
        "judgements.js",
        "watch.css",
        "page.css",
    ):
        status, text, headers = client.ask("GET", f"/{TOKEN}/static/{name}")
        assert (status, bool(text)) == (200, True)
        assert ("javascript" in headers["content-type"]) == name.endswith(".js")
    for name in ("../server.py", "%2e%2e%2fserver.py", "server.py"):
        assert client.ask("GET", f"/{TOKEN}/static/{name}")[0] == 404


def test_a_store_that_has_gone_is_told(client: Client, tmp_path: Path) -> None:
    (tmp_path / "runs" / "s.sqlite").unlink()
    status, text, _ = client.ask("GET", f"/{TOKEN}/judgements?store=store:0")
    assert (status, "No such file" in text) == (503, True)


def test_files_that_hold_something_else_do_not_hide_the_others(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    run(folder / "b", 0, 0.5).folder.rename(folder / os.fsdecode(b"not \xff UTF-8"))
    run(folder / "rows", 1, 0.5).write_metrics([{"steps": None, "x": "y"}])
    run(folder / "former", 2, 0.5).write_metrics([{"steps": None}, rows(0.5)[0]])
    words = dict.fromkeys(TrainingStatus.__dataclass_fields__, "x")
    (run(folder / "status", 3, 0.5).folder / "status.json").write_text(json.dumps(words))
    for name, text in {"deep": "[" * 100_000, "words": '{"tables": "x"}'}.items():
        (folder / name).mkdir()
        (folder / name / "evaluate.json").write_text(text)
    with sqlite3.connect(folder / "s.sqlite") as store:
        store.execute("UPDATE contexts SET subgoals = 'no JSON'")
    store.close()
    watching = Watching([folder], KnownTruths([str(tmp_path / "set.parquet")]))
    with served(partial(application, watching, "runs", TOKEN)) as anew:
        sections = anew.json(f"/{TOKEN}/state")["sections"]
    watching.close()
    problems = {Path(id).name: one["problem"] for id, one in sections.items() if "problem" in one}
    assert [name for name, problem in problems.items() if not problem] == ["a"]
    assert {"not \\udcff UTF-8", "former", "status", "evaluate.json"} < problems.keys()
    assert "its files hold something else than a run's" in problems["rows"]
    assert "holds something else than answers" in problems["store:0"]
