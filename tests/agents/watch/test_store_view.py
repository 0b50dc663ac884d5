"""A store is shown while it is written: what was asked, what came last, and all of it in turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.watch import store_view as module
from agents.watch.judgement_filter import JudgementFilter
from agents.watch.sent_prompts import SentPrompts
from agents.watch.store_view import StoreView
from agents.watch.truths import KnownTruths
from calm.endpoint.envelope import Call
from calm.errors import StoreError, UsageError
from calm.records import Verdict
from calm.store.store import Store
from tests.support.watched import (
    EVIL,
    NAMES,
    TASK,
    TEXTS,
    answer,
    context_of,
    write_people,
    write_set,
    write_store,
)

KEY, DOOR = NAMES


def view_of(folder: Path, *, people: bool = False) -> StoreView:
    write_set(folder / "set.parquet")
    if people:
        write_people(folder / "labels.sqlite")
    labels = [folder / "labels.sqlite"] if people else []
    truths = KnownTruths([str(folder / "set.parquet")], labels)
    return StoreView(folder / "s.sqlite", truths, SentPrompts(lambda: list(truths.tasks)))


def shown(view: StoreView, **wanted: str) -> list[tuple[str, str]]:
    """Model and beginning of the text of the judgements on all pages."""
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        page = view.page(JudgementFilter.read(wanted), after)
        rows += page["rows"]
        if not (after := page["next"]):
            break
    return [(row["model"], row["text"].split()[1 if row["text"][0] == "T" else 0]) for row in rows]


def test_the_summary_is_what_was_asked_and_paid_and_read(tmp_path: Path) -> None:
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path)
    summary = view.summary()
    small = summary["models"]["small"]
    assert (small["attempts"], small["questions"], small["failed"]) == (3, 3, 0)
    assert (small["prompt_tokens"], small["completion_tokens"]) == (300, 21)
    assert small["cost"] == pytest.approx(0.003)
    assert [(of["model"], of["verdicts"]) for of in summary["classes"]] == [
        ("large", {"ok": 3}),
        ("small", {"ok": 2, "invalid": 1}),
    ]
    assert summary["choices"]["subgoal"] == sorted(NAMES)
    assert summary["choices"]["differs"] == ["engine"]
    assert json.loads(json.dumps(summary)) == summary
    last = summary["last"][0]
    assert (last["model"], last["raw"]) == ("large", f'{{"{KEY}": false, "{DOOR}": false}}')
    assert last["judgements"][0]["answers"] == {KEY: False, DOOR: False}
    view.close()


def test_what_is_added_meanwhile_is_shown_at_the_next_look(tmp_path: Path) -> None:
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path)
    with Store(tmp_path / "s.sqlite") as writer:
        first = view.summary()
        assert view.summary() == first
        answer(writer, context_of(), "A third thing happened.", (0, 0))
        writer.record(context_of(), "e", Call(1.0, 0.1, outcome="timeout", detail=EVIL))
        second = view.summary()
        assert second["models"]["small"]["attempts"] == 5
        assert second["models"]["small"]["failed"] == 1
        assert [call["outcome"] for call in second["last"][:2]] == ["timeout", "ok"]
        assert "\x1b" not in second["last"][0]["detail"]
        assert shown(view, model="small")[0] == ("small", "A")
    view.close()


def test_all_can_be_looked_through_by_what_they_are(tmp_path: Path) -> None:
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path, people=True)
    assert len(shown(view)) == 6
    assert shown(view, model="small") == [
        ("small", "Nothing."),
        ("small", "door"),
        ("small", "key"),
    ]
    assert shown(view, verdict="unreadable") == [("small", "Nothing.")]
    assert shown(view, verdict="invalid", model="large") == []
    assert shown(view, subgoal=DOOR, says="yes") == [("large", "door")]
    assert shown(view, says="no") == [("large", "Nothing."), ("small", "door")]
    assert shown(view, differs="engine") == [("small", "door")]
    assert shown(view, differs="engine", subgoal=KEY) == []
    differ = [("large", "key"), ("small", "door"), ("small", "key")]
    assert sorted(shown(view, differs="people")) == differ
    assert shown(view, task="another") == []
    assert sorted(shown(view, template="judge-v1")) == sorted(shown(view))
    view.close()


def test_a_page_holds_so_many_and_the_next_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path)
    everything = shown(view)
    unreadable = shown(view, verdict="ok")
    for page, span, block in ((1, 1, 1), (2, 1, 3), (4, 2, 2), (5, 9, 9)):
        monkeypatch.setattr(module, "PAGE", page)
        monkeypatch.setattr(module, "SPAN", span)
        monkeypatch.setattr(module, "BLOCK", block)
        assert shown(view) == everything
        assert shown(view, verdict="ok") == unreadable
        monkeypatch.setattr(module, "FEW", 1)
        assert shown(view, verdict="ok") == unreadable
        monkeypatch.setattr(module, "FEW", 100)
    first = view.page(JudgementFilter())
    assert (len(first["rows"]), first["looked"], first["texts"]) == (5, 2, 3)
    assert view.page(JudgementFilter(), first["next"])["looked"] == 3
    view.close()


def test_a_look_that_takes_too_long_says_from_where_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", -1.0)
    monkeypatch.setattr(module, "SPAN", 1)
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path)
    page = view.page(JudgementFilter(subgoal=KEY, says="yes"))
    assert (page["rows"], page["looked"]) == ([], 1)
    assert len(shown(view, subgoal=KEY, says="yes")) == 2
    view.close()


def test_one_in_full_has_the_prompt_as_sent_and_the_raw_answer(tmp_path: Path) -> None:
    write_store(tmp_path / "s.sqlite")
    view = view_of(tmp_path, people=True)
    row = view.page(JudgementFilter(model="small", says="yes"))["rows"][0]
    full = view.judgement(bytes.fromhex(row["key"]))
    assert full is not None
    assert TASK.goal in full["prompt"]
    assert TEXTS[0] in full["prompt"]
    assert full["raw"] == f'{{"{KEY}": true, "{DOOR}": false}}'
    assert full["confidence"] == {KEY: 0.9, DOOR: 0.1}
    assert full["truth"] == {
        "engine": {KEY: [1, 1], DOOR: [0, 1]},
        "people": {KEY: [0, 2], DOOR: [0, 2]},
    }
    assert full["differs"] == ["people"]
    assert view.judgement(b"no such key") is None
    prose = view.page(JudgementFilter(verdict="invalid"))["rows"][0]
    assert (prose["answers"], prose["differs"]) == ({}, [])
    assert "\x1b" not in prose["raw"] + prose["text"]
    view.close()


def test_a_file_in_another_ones_place_is_opened_anew_and_one_gone_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    write_store(path)
    view = view_of(tmp_path)
    assert len(shown(view)) == 6
    other = tmp_path / "other.sqlite"
    with Store(other) as store:
        answer(store, context_of("third"), TEXTS[0], (), Verdict.REFUSED)
    path.unlink()
    assert "No such file" in view.summary()["problem"]
    with pytest.raises(StoreError, match="No such file"):
        view.page(JudgementFilter())
    other.rename(path)
    assert shown(view) == [("third", "key")]
    assert list(view.summary()["models"]) == ["third"]
    with pytest.raises(UsageError, match="no place in a store"):
        view.page(JudgementFilter(), "nowhere")
    view.close()


def test_nothing_is_written(tmp_path: Path) -> None:
    write_store(tmp_path / "s.sqlite")
    before = (tmp_path / "s.sqlite").read_bytes()
    view = view_of(tmp_path)
    view.summary()
    shown(view, differs="engine")
    view.close()
    assert (tmp_path / "s.sqlite").read_bytes() == before
