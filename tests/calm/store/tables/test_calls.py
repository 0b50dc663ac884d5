"""The table of calls: what each attempt took, added up."""

from calm.endpoint.envelope import Call, Reply, TokenOdds
from calm.records import Subgoal, Usage
from calm.store.question import Context
from calm.store.store import Store
from calm.store.tables.calls import dump_odds, load_odds

CONTEXT = Context("T", (Subgoal("a", "A."),), "m")


def _call(
    outcome: str = "ok", tokens: int = 0, cost: float | None = 0.5, seconds: float = 2.0
) -> Call:
    reply = Reply("{}", usage=Usage(1, 10 * tokens, tokens, tokens))
    return Call(1.0, seconds, outcome, reply if outcome != "500" else None, cost=cost)


def test_attempts_add_up_and_an_unknown_price_is_unknown(store: Store) -> None:
    calls, context = store.tables.calls, store.context(CONTEXT)
    for call in (_call(tokens=1), _call(tokens=2), _call("500", cost=0.0), _call("imported", 9)):
        calls.add(context, "http://e/v1", call, 1)
    assert calls.paid(context) == Usage(3, 30, 3, 3, 6.0, 1.0)
    assert calls.answered("m") == (2, 2, 3, 4.0)
    (total,) = calls.totals_by_model()
    assert (total.attempts, total.answered, total.cost, total.unpriced) == (3, 2, 1.0, 0)
    assert calls.failures("m") == {"500": 1}
    assert calls.imported() == 1
    calls.add(context, "http://e/v1", _call(tokens=1, cost=None), 4)
    assert calls.paid(context).cost is None
    assert calls.answered("m")[:2] == (3, 6)


def test_log_probabilities_come_back_as_they_went_in() -> None:
    odds = (TokenOdds("true", -0.123456789, {"false": -2.25}),)
    assert load_odds(dump_odds(odds)) == (TokenOdds("true", -0.12346, {"false": -2.25}),)
    assert dump_odds(()) is None
    assert load_odds(None) == ()
