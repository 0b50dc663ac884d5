"""An answer of one word is read by its odds, and is no answer where they speak of neither word."""

import math

import pytest

from calm.asking.confidence import from_first_token
from calm.asking.first_token import read_first_word
from calm.endpoint.envelope import Reply, TokenOdds
from calm.records import Verdict


def reply(text: str, **odds: float) -> Reply:
    top = {token.replace("_", " "): math.log(p) for token, p in odds.items()}
    return Reply(text, "length", odds=(TokenOdds(text, math.log(0.5), top),) if odds else ())


def test_all_spellings_of_a_word_count_together() -> None:
    # yes .3 + .1 + .05, no .15: .45 / .6
    answer = reply("Well", yes=0.3, _Yes=0.1, Y=0.05, no=0.15)
    (parsed,) = read_first_word(answer, ["the door is open"])
    assert (parsed.verdict, dict(parsed.achieved)) == (Verdict.OK, {"the door is open": True})
    assert from_first_token(answer, ["the door is open"]) == pytest.approx((0.75,))


def test_odds_that_hardly_speak_of_either_word_are_no_answer() -> None:
    (parsed,) = read_first_word(reply("The", yes=0.05, no=0.04, The=0.9), ["x"])
    assert parsed.verdict is Verdict.INVALID
    assert "neither yes nor no: 'The'" in parsed.reason


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes", True), ("No.", False), (" true", True), ("<think>no</think>yes", True)],
)
def test_without_odds_the_word_itself_counts(text: str, yes: bool) -> None:
    (parsed,) = read_first_word(Reply(text), ["x"])
    assert parsed.achieved == {"x": yes}
    assert from_first_token(Reply(text), ["x"]) is None


@pytest.mark.parametrize("text", ["", "Perhaps", "none", "nothing", "yesterday"])
def test_any_other_word_is_no_answer(text: str) -> None:
    (parsed,) = read_first_word(Reply(text), ["x"])
    assert parsed.verdict is Verdict.INVALID
