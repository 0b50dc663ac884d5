"""Annotators who are programs: their errors come as often as they are stated."""

from collections import Counter

import pytest

from calm.errors import UsageError
from data.label.simulate import ErrorRates, read_rates, simulate
from tests.support.key_and_door import DOOR, KEY, TASK, key_and_door_rows

ROWS = key_and_door_rows(600)  # two hundred of each class


def _kinds(**rates: float) -> Counter[tuple[str, str]]:
    """Counts of the engine's class and the label's."""
    labels = simulate(ROWS, {TASK.id: TASK}, {"simulated-a": ErrorRates(**rates)})
    truth = {row.transition.id: row.kind([KEY.name, DOOR.name]) for row in ROWS}
    return Counter((truth[label.id], label.kind()) for label in labels)


def test_without_errors_they_say_what_is_true() -> None:
    assert _kinds() == {(k, k): 200 for k in (KEY.name, DOOR.name, "none")}


def test_errors_are_of_their_kind_and_about_as_frequent() -> None:
    kinds = _kinds(miss=0.2, confuse=0.3, false=0.1, unsure=0.05, skip=0.5)
    n = kinds.total()
    assert 250 < n < 350  # half of 600, within four standard deviations
    achieved = {k: v for k, v in kinds.items() if k[0] != "none" and k[1] != "unsure"}
    share = Counter(
        "right" if a == b else "miss" if b == "none" else "confuse" for a, b in
        Counter(achieved).elements()
    )  # fmt: skip
    total = share.total()
    assert abs(share["miss"] / total - 0.2) < 0.12
    assert abs(share["confuse"] / total - 0.3) < 0.13
    assert 0 < sum(v for (_, b), v in kinds.items() if b == "unsure") < 0.15 * n


def test_the_same_arguments_give_the_same_labels() -> None:
    rates = {"simulated": ErrorRates(miss=0.5)}
    one, two, other = (simulate(ROWS[:9], {TASK.id: TASK}, rates, seed) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a:lie=0.1", "unknown error rate 'lie'"), ("a:miss=2", "miss is '2', expected a probab")],
)
def test_rates_are_read_or_refused(text: str, reason: str) -> None:
    assert read_rates("ann:miss=0.1,skip=1") == ("simulated-ann", ErrorRates(miss=0.1, skip=1))
    assert read_rates("simulated-b") == ("simulated-b", ErrorRates())
    with pytest.raises(UsageError, match=reason):
        read_rates(text)
    with pytest.raises(UsageError, match="begins with 'simulated', got 'ann'"):
        simulate(ROWS, {TASK.id: TASK}, {"ann": ErrorRates()})
