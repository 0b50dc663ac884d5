"""Thresholds turn confidence into yes and no, and come from a number or a file."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.judges.thresholds import apply_thresholds, read_thresholds, write_thresholds
from calm.records import Judgement, Verdict

SURE = Judgement(Verdict.OK, {"take": True, "open": True}, {"take": 0.7, "open": 0.7})


def test_a_subgoal_without_a_threshold_of_its_own_takes_that_of_all() -> None:
    assert apply_thresholds(SURE, {"*": 0.8, "open": 0.6}).achieved == {"take": False, "open": True}
    assert apply_thresholds(SURE, {"take": 0.8}).achieved == {"take": False, "open": True}


def test_what_has_no_confidence_stays_as_it_is() -> None:
    unsure = Judgement(Verdict.OK, {"take": True})
    assert apply_thresholds(unsure, {"*": 0.9}) is unsure
    assert apply_thresholds(SURE, {}) is SURE


def test_a_file_says_what_it_was_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    write_thresholds(path, {"*": 0.76}, "a model, on some texts")
    assert "on some texts" in path.read_text()
    assert read_thresholds(str(path)) == {"*": 0.76}
    assert read_thresholds("0.5") == {"*": 0.5}
    assert read_thresholds("") == {}


@pytest.mark.parametrize("spec", ["1.5", "nan", "no-such-file.json"])
def test_what_is_neither_number_nor_file_is_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        read_thresholds(spec)


@pytest.mark.parametrize(
    "text", ["[]", '{"thresholds": {"a": "b"}}', '{"a": true}', "{", '{"a": 2}']
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cut.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"cut\.json"):
        read_thresholds(str(path))
