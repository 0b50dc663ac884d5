"""A labelling round as a lab runs it, from pages to scores, with simulated annotators."""

from __future__ import annotations

import json
import re
from pathlib import Path

from calm.records import NONE
from data.dataset import load
from data.label.simulate import ErrorRates, simulate
from tests.support.command_line import calm

ABOUT = re.compile(r'<script type="application/json" id="about">(.*?)</script>')
ANY_STEP = re.compile(r'<template data-id="(\w+)"')
PEOPLE = {
    "simulated-ann": ErrorRates(),
    "simulated-bob": ErrorRates(),
    "simulated-cat": ErrorRates(miss=1.0),
}


def saved_file(page: Path, folder: Path) -> Path:
    """What the page saves once its annotator has answered as their error rates say."""
    text = page.read_text()
    about = json.loads(ABOUT.findall(text)[0])
    part = load("keyroom-v1").part("balanced")
    name = about["annotator"]
    rows = [row for row in part.rows if row.transition.id in about["steps"]]
    labels = simulate(rows, part.tasks, {name: PEOPLE[name]})
    answers = [
        {
            "id": x.id,
            "asked": about["steps"][x.id]["asked"],
            "achieved": list(x.achieved),
            "unsure": x.unsure,
            "seconds": 3.0,
            "at": "2026-01-31T12:00:00.000Z",
            "reads": about["steps"][x.id]["reads"],
        }
        for x in labels
    ]
    head = {"calm_labels": about["format"], "page": about["page"], "set": about["set"]}
    path = folder / f"labels-{name}.json"
    path.write_text(json.dumps(head | {"annotator": name, "labels": answers}))
    return path


def test_from_pages_to_scores(tmp_path: Path) -> None:
    """Each step goes to two of three people, of whom one misses everything that was achieved."""
    store, pages = tmp_path / "l.sqlite", tmp_path / "round"
    words = ["--people", ",".join(PEOPLE), "--overlap", 2, "--sample", "even", "--limit", 60]
    output = calm("label", "--export", pages, *words)
    assert output.count("40 transitions to label") == 3
    files = [saved_file(page, tmp_path) for page in sorted(pages.iterdir())]
    output = calm("labels", "import", *files, "--data", "keyroom-v1", "--labels", store)
    assert output.count("40 new labels") == 3
    output = calm("labels", "agreement", "--data", "keyroom-v1", "--labels", store)
    assert "Krippendorff's alpha of all people" in output
    words = ["--part", "balanced", "--against", "people", "--against", "engine", "--labels", store]
    out = calm("evaluate", *words, "--judge", "rules", "--judge", "always-yes", "--json")
    people, engine = json.loads(out)["tables"]
    # Where cat shared a step on which something was achieved, the two differ: no majority.
    part = load("keyroom-v1").part("balanced")
    names = [s.name for s in next(iter(part.tasks.values())).subgoals]
    positive = {row.transition.id for row in part.rows if row.kind(names) != NONE}
    ids = [set(ANY_STEP.findall(page.read_text())) for page in sorted(pages.iterdir())]
    disputed = len((ids[0] | ids[1]) & ids[2] & positive)
    assert people["left_out"]["no majority"] == disputed
    assert people["transitions"] == 60 - disputed
    assert people["left_out"]["nobody labelled it"] == 256 - 60
    assert people["scores"][0]["metrics"]["paper_f1"]["value"] == 1.0
    kappas = {(p["rater"], p["other"]): p["kappa"]["value"] for p in people["agreement"]["pairs"]}
    assert kappas["simulated-ann", "engine"] == kappas["simulated-bob", "engine"] == 1.0
    assert kappas["simulated-cat", "engine"] == 0.0
    assert engine["transitions"] == 256
    sheet = tmp_path / "sheet.md"
    calm("labels", "datasheet", sheet, "--labels", store)
    assert "about 60 of 256 transitions (60 by 2)" in sheet.read_text()
    assert "screens (120)" in sheet.read_text()
