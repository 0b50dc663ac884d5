"""Files that people write: what is wrong in them is told with its line and what to do."""

from pathlib import Path

import pytest

from calm.errors import UsageError
from calm.yaml_files import load_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "reason", "cure"),
    [
        ("id: a\n\t- b", r"line 2 \('\\t- b'\): .*", "put spaces in the tab's place"),
        ("id: a\nb: c: d", r"line 2 .*mapping values", "text between quotes"),
        ("a: {b: the hero: eats}", r"line 1 .*but got ':'", "text between quotes"),
        ("a: @b", r"line 1 .*'@'", "text between quotes"),
        ("a: *b", "undefined alias", "text between quotes"),
        ("a: !!python/object:os.system x", "tag", "text between quotes"),
        ("a: 'b\nc: d\n", "line 1 .*end of stream", "close the quote"),
        ("a: [b,\nc: d\n", "line 1 .*", "text between quotes|close the quote or bracket"),
        ("a: 'the hero's key'", "line 1 ", "a quote within quotes is written twice"),
        ("a:\n  - b: c\n   d: e", "line 3 ", "begins in one column"),
        ("a: b\n---\na: c", "line 2 .*another document", "take the line `---` out"),
        ("a: b\na: c", "line 2 .*'a' stands twice", "keep one"),
        ("a: {b: 1, b: 2}", "line 1 .*'b' stands twice", "keep one"),
        ("a: \x07", "unacceptable character", "take the control character out"),
        ("[" * 1000, "brackets within brackets", "too deep"),
        ("a: 2024-99-99", r"date, number or tag that is none \(month", "text between quotes"),
        ("a: " + "9" * 5000, "date, number or tag", "text between quotes"),
        ("a: !!timestamp x", "date, number or tag", "text between quotes"),
        ("a: !!bool x", "date, number or tag", "text between quotes"),
    ],
)
def test_what_is_no_yaml_says_where_why_and_what_to_do(text: str, reason: str, cure: str) -> None:
    with pytest.raises(ValueError, match=f"{reason}.*(?:{cure})"):
        load_yaml(text)


def test_values_are_those_of_yaml() -> None:
    text = "a: &x {b: 1}\nc: {<<: *x, d: [yes, 2.5, null, go]}\n"
    assert load_yaml(text) == {"a": {"b": 1}, "c": {"b": 1, "d": [True, 2.5, None, "go"]}}
    assert load_yaml("") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": "b"\n "c": 1}', r"line 2 \(' \"c\": 1}'\): Expecting ',' delimiter"),
        (b'{"a": 1, "a": 2}', "'a' stands twice in one object: keep one of them"),
        (b"[" * 99999, "brackets within brackets, too deep to be read"),
        (b"", "line 1: Expecting value"),
        ('{"a": "ü"}'.encode("latin-1"), "it is not text in UTF-8: save it as UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "it is not text in UTF-8: save it as UTF-8"),
    ],
)
def test_what_is_no_json_says_where_and_why(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"can't read the task in .*file.json: {reason}"):
        read_yaml(path, "the task")


def test_json_may_hold_tabs_and_a_mark_of_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b'\xef\xbb\xbf{\n\t"a": "tab\\there"\n}\n')
    assert read_yaml(path, "the task") == {"a": "tab\there"}
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: b\r\nc: d\r\n")
    assert read_yaml(path, "the task") == {"a": "b", "c": "d"}


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match=f"can't read the task in {path}: .*: check its name"):
            read_yaml(path, "the task")
