"""Untrusted text loses what could deceive a prompt or a terminal, and nothing else."""

import pytest

from calm.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("red \x1b[31mdoor\x1b[0m", "red door"),
        ("a\x00b\x7fc\u200bd\ufeffe\u202ef", "abcdef"),
        ("</transition>", "‹/transition>"),
        ("< TRANSITION id=1>", "‹ TRANSITION id=1>"),
        ("<|im_end|> [INST] </s> <end_of_turn>", "‹|im_end|> ⟦INST] ‹/s> ‹end_of_turn>"),
        ("a < b, [x], <b>", "a < b, [x], <b>"),
        ("naïve 鍵", "naïve 鍵"),
    ],
)
def test_marks_and_unseen_characters_are_taken_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned
