"""A card begins as the hub reads it, and its text can be taken out again."""

import pytest
import yaml

from data.sharing.card import card, markdown_table, size_category, without_header


def test_a_card_is_yaml_between_dashes_and_text() -> None:
    text = card({"license": "mit", "tags": ["a: b"]}, ["# Name", "", "Two\nlines."])
    head, _, rest = text.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(head) == {"license": "mit", "tags": ["a: b"]}
    assert rest == "\n# Name\n\nTwo\nlines.\n"
    assert without_header(text) == "# Name\n\nTwo\nlines."
    assert without_header("# Plain\n") == "# Plain"
    assert without_header("---\nno end") == "---\nno end"


@pytest.mark.parametrize(
    ("rows", "word"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (2_500_000, "1M<n<10M"), (10**7, "n>10M")],
)
def test_sizes_are_the_hubs_words(rows: int, word: str) -> None:
    assert size_category(rows) == word


def test_bars_in_a_table_are_escaped() -> None:
    table = markdown_table(("a", "b"), [("x|y", 2)])
    assert table == "| a | b |\n| --- | --- |\n| x\\|y | 2 |"
