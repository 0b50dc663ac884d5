"""A labelling page as one file: what is in it, and what never is."""

import base64
import hashlib
import json
import re
from pathlib import Path

from data.label.export_page import write_page
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows

EVIL = "</script><img src=x>"


def test_the_page_holds_each_step_once_and_no_truth(tmp_path: Path) -> None:
    rows = key_and_door_rows(4)
    named = {TASK.id: (KEY,), "Other-v0": (DOOR,)}
    write_page(tmp_path / "p.html", [*rows, rows[0]], {TASK.id: TASK}, "s@1", EVIL, named)
    text = (tmp_path / "p.html").read_text("utf-8")
    ids = re.findall(r'<template data-id="(\w+)"', text)
    assert sorted(ids) == sorted(row.transition.id for row in rows)
    about = json.loads(re.search(r'id="about">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert (about["format"], about["set"], about["annotator"]) == (1, "s@1", EVIL)
    assert about["steps"][ids[0]] == {
        "asked": [KEY.name, DOOR.name], "reads": "screen", "action": "apply",
    }  # fmt: skip
    assert len(re.findall('<form class="matching"', text)) == 1  # not of a task that is not shown
    for word in ("level_seed", "episode e", EVIL):
        assert word not in text


def test_the_page_s_policy_allows_its_own_script_alone(tmp_path: Path) -> None:
    write_page(tmp_path / "p.html", key_and_door_rows(1), {TASK.id: TASK}, "s@1")
    text = (tmp_path / "p.html").read_text("utf-8")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text
