"""How sure a judge is: probabilities of true and false at a value, and votes of samples."""

import math

import pytest

from calm.asking.confidence import from_first_token, from_odds, vote
from calm.endpoint.envelope import Reply, TokenOdds
from calm.records import Verdict


def _token(text: str, **others: float) -> TokenOdds:
    """A token of probability 1 - sum(others), beside the others."""
    rest = math.log(1 - sum(others.values())) if sum(others.values()) < 1 else -9.0
    return TokenOdds(text, rest, {name: math.log(p) for name, p in others.items()})


def _reply(*tokens: TokenOdds) -> Reply:
    return Reply("".join(t.token for t in tokens), odds=tokens)


def test_true_and_false_share_what_both_of_them_have() -> None:
    # P(true) .6 and P(false) .2 of what is listed: .6 / .8.
    value = TokenOdds("true", math.log(0.6), {"false": math.log(0.2), "maybe": math.log(0.2)})
    reply = _reply(_token('{"take":'), value, _token("}"))
    assert from_odds(reply, ["take"]) == pytest.approx((0.75,))


def test_each_value_has_its_own_token() -> None:
    reply = _reply(
        _token('{"a": '), _token("true", false=0.1), _token(', "b": '), _token("false", true=0.3),
        _token("}"),
    )  # fmt: skip
    assert from_odds(reply, ["a", "b"]) == pytest.approx((0.9, 0.3))


@pytest.mark.parametrize(
    "reply",
    [
        Reply('{"a": true}'),  # no odds
        _reply(_token('{"b": '), _token("true"), _token("}")),  # another name
        _reply(_token('{"a": true, "a": '), _token("true"), _token("}")),  # given twice
        Reply('{"a": true}', odds=(_token('{"a": '), _token("true"))),  # tokens of another text
    ],
)
def test_what_does_not_fit_the_answer_says_nothing(reply: Reply) -> None:
    assert from_odds(reply, ["a"]) is None


def test_an_answer_of_one_word_is_as_sure_as_its_token() -> None:
    assert from_first_token(_reply(_token("yes", no=0.25)), ["any"]) == pytest.approx((0.75,))
    assert from_first_token(Reply("yes"), ["any"]) is None


def test_more_than_half_of_the_readable_samples_is_a_yes() -> None:
    ok, lost = Verdict.OK, Verdict.INVALID
    assert vote([[1, 0], [1, 1], [0, 0]], [ok, ok, ok]) == (ok, (1, 0), (2 / 3, 1 / 3))
    assert vote([[1], [], [0]], [ok, lost, ok]) == (ok, (0,), (0.5,))
    assert vote([[1], [1]], [ok, Verdict.REPAIRED]) == (Verdict.REPAIRED, (1,), (1.0,))


def test_few_readable_samples_are_not_believed() -> None:
    refused, lost = Verdict.REFUSED, Verdict.INVALID
    verdicts = [Verdict.OK, lost, refused, refused]
    assert vote([[1], [], [], []], verdicts) == (refused, (), ())
