"""A judgement is shown with its truths and its prompt, and nothing that a model wrote does harm."""

from pathlib import Path

from agents.watch.judgement_rows import SHORT, JudgementRows, shown, time_of
from agents.watch.opened_store import OpenedStore, file_of
from agents.watch.sent_prompts import SentPrompts
from agents.watch.truths import KnownTruths
from calm.store.store import Store
from tests.support.watched import EVIL, NAMES, TEXTS, context_of, write_set, write_store

KEY, DOOR = NAMES


def test_what_is_shown_is_cut_and_has_no_control_characters() -> None:
    assert shown("abc", 3) == "abc"
    assert shown("abcde", 3) == "abc … (2 more)"
    assert "\x1b" not in shown(EVIL, SHORT)


def test_a_time_is_written_in_utc_and_none_as_nothing() -> None:
    assert time_of(1.0) == "1970-01-01T00:00:01+00:00"
    assert time_of(0.0) == ""


def test_a_row_says_what_is_denied_and_in_full_which_prompt_was_sent(tmp_path: Path) -> None:
    path, known = tmp_path / "s.sqlite", tmp_path / "set.parquet"
    write_store(path)
    write_set(known)
    truths = KnownTruths([str(known)], [])
    rows = JudgementRows(truths, SentPrompts(lambda: list(truths.tasks)))
    with Store(path, readonly=True) as store:
        opened = OpenedStore(store, file_of(path))
        opened.look()
        key = context_of().key(TEXTS[1])
        words = opened.browsing.words([key])[key]
        row = rows.row(opened, words)
        full = rows.in_full(opened, words)
        together = rows.in_full(opened, words._replace(items=3))
    assert row["answers"] == {KEY: False, DOOR: False}
    assert row["truth"] == {"engine": {KEY: [0, 1], DOOR: [1, 1]}}
    assert row["differs"] == ["engine"]
    assert full.items() >= row.items()
    assert TEXTS[1] in full["prompt"]
    assert full["prompt_note"] == ""
    assert "together with 2 others" in together["prompt_note"]
