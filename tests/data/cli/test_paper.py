"""`calm paper`: the paper's rows, and ours below them by people's labels."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.command_line import run_calm as calm


def test_the_papers_protocol_with_simulated_people(tmp_path: Path) -> None:
    """One annotator misses every key and door: by their labels nothing was ever achieved."""
    labels = tmp_path / "l.csv"
    calm("labels", "simulate", labels, "--annotator", "blind:miss=1", "--part", "balanced")
    words = ["paper", "--judge", "always-yes", "--labels", labels]
    result = calm(*words, "--against", "people", "--against", "engine")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert sum("paper's" in line for line in lines) == 36  # nine annotators, four conditions
    ours = [line for line in lines if line.startswith("always-yes")]
    assert ours == [
        "always-yes screen given people 0.00 0.00 0.00 0.00 256",
        "always-yes crop given people 0.00 0.00 0.00 0.00 256",
        "always-yes screen given engine 0.80 0.67 0.67 1.00 256",
        "always-yes crop given engine 0.80 0.67 0.67 1.00 256",
    ]


def test_discovered_subgoals_by_what_people_said_they_mean(tmp_path: Path) -> None:
    labels = tmp_path / "l.csv"
    calm("labels", "simulate", labels, "--annotator", "a", "--part", "balanced")
    named = [{"name": "grasp it", "definition": "…"}, {"name": "sing", "definition": "…"}]
    (tmp_path / "found.json").write_text(json.dumps(named))
    meant = {"grasp it": "pick up the key", "sing": None}
    (tmp_path / "match.json").write_text(json.dumps(meant))
    words = ["paper", "--judge", "always-yes", "--labels", labels, "--json"]
    words += ["--discovered", tmp_path / "found.json", "--match", tmp_path / "match.json"]
    given, discovered = json.loads(calm(*words).stdout)["tables"]
    assert (given["matches"], given["against"], discovered["against"]) == ({}, "people", "people")
    assert {tuple(m["of"].items()) for m in discovered["matches"].values()} == {
        tuple(meant.items())
    }
    # Yes to "grasp it" is yes to the key on all 256 steps, of which 86 took it; the door, which was
    # never named, is not scored.
    value = discovered["scores"][0]["metrics"]["paper_precision"]["value"]
    assert value == round(86 / 256, 5)


def test_a_datasheet_to_be_filled_in(tmp_path: Path) -> None:
    labels, sheet = tmp_path / "l.csv", tmp_path / "sheet.md"
    calm("labels", "simulate", labels, "--annotator", "a", "--annotator", "b:miss=1,unsure=0.5")
    result = calm("labels", "datasheet", sheet, "--labels", labels)
    assert result.exit_code == 0, result.output
    text = sheet.read_text()
    assert re.search(r"round on keyroom-v1/balanced@[0-9a-f]{12}", text)
    assert "- Labels: 512, about 256 of 256 transitions (256 by 2)" in text
    assert "| simulated-a | 256 | 0 | 0.0 |" in text
    assert "simulated-a and engine: kappa 1.00, 256 of 256 alike" in text
    assert text.count("_to be filled in_") == 10
