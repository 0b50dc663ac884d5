"""Credit: numbers worked by hand, and the telescoping identity of `potential`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calm.credit import CREDIT_MODES, Credit
from calm.errors import UsageError

NO = np.zeros(2, dtype=np.bool_)


def answers(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int8)


def test_every_pays_each_time() -> None:
    credit = Credit(2, 3, "every")
    for _ in range(2):
        paid = credit.step(answers([1, 0, 1], [0, 0, 0]), NO, NO)
        np.testing.assert_array_equal(paid, [2.0, 0.0])
        assert paid.dtype == np.float32


def test_once_pays_each_subgoal_once_an_episode() -> None:
    credit = Credit(2, 3, "once")
    paid = [
        credit.step(answers([1, 0, 0], [0, 1, 0]), NO, NO),
        credit.step(answers([1, 1, 0], [0, 0, 0]), NO, np.array([False, True])),  # env 1 ends
        credit.step(answers([1, 1, 0], [0, 1, 0]), NO, NO),  # a new episode pays again
    ]
    np.testing.assert_array_equal(paid, [[1, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(credit.progress, [[True, True, False], [False, True, False]])


def test_a_subgoal_that_is_to_be_done_three_times_pays_a_third_each_time() -> None:
    for mode, last in (("once", 0), ("every", 1 / 3)):
        credit = Credit(1, 2, mode, times=[3, 1])
        paid, shares = [], []
        for _ in range(4):
            paid.append(credit.step(answers([1, 0]), NO[:1], NO[:1])[0])
            shares.append(credit.progress[0, 0])
        np.testing.assert_allclose(paid, [1 / 3, 1 / 3, 1 / 3, last], rtol=1e-6)
        np.testing.assert_array_equal(shares, np.float32([1 / 3, 2 / 3, 1, 1]))
        credit.step(answers([0, 0]), ~NO[:1], NO[:1])
        assert not credit.progress.any()


def test_potential_is_the_mean_share_done() -> None:
    credit = Credit(1, 2, "potential", gamma=0.5, times=[4, 1])
    paid = [credit.step(answers(row), NO[:1], NO[:1])[0] for row in ([1, 0], [1, 0], [0, 1])]
    # Phi: 1/8, 1/4, 3/4.
    np.testing.assert_allclose(paid, [1 / 16, 1 / 8 - 1 / 8, 3 / 8 - 1 / 4])


@pytest.mark.parametrize("times", [[1], [1, 0], [1, 1, 1]])
def test_times_are_one_number_a_subgoal(times: list[int]) -> None:
    with pytest.raises(UsageError, match="times must be 2 numbers of at least 1"):
        Credit(1, 2, times=times)


def test_potential_by_hand() -> None:
    credit = Credit(2, 2, "potential", gamma=0.5)
    first = credit.step(answers([1, 0], [1, 1]), NO, NO)
    np.testing.assert_allclose(first, [0.25, 0.5])  # 0.5 * Phi(s') - 0
    ends = (np.array([True, False]), np.array([False, True]))
    last = credit.step(answers([0, 1], [0, 0]), *ends)
    # Env 0 terminates: Phi(s') = 0, so -Phi(s) = -0.5. Env 1 is cut: 0.5 * 1 - 1 = -0.5.
    np.testing.assert_allclose(last, [-0.5, -0.5])
    assert not credit.progress.any()


@given(
    hnp.arrays(
        np.int8,
        st.tuples(st.integers(1, 7), st.just(1), st.integers(1, 5)),
        elements=st.integers(-1, 1),
    ),
    st.floats(0.0, 1.0),
    st.booleans(),
    st.lists(st.integers(1, 7), min_size=5, max_size=5),
)
def test_potential_telescopes(
    judged: np.ndarray, gamma: float, terminates: bool, times: list[int]
) -> None:
    """sum_t gamma^t F_t = gamma^T Phi(s_T), since Phi(s_0) = 0; and Phi is 0 once terminated."""
    steps, _, n_subgoals = judged.shape
    credit = Credit(1, n_subgoals, "potential", gamma, times[:n_subgoals])
    total = 0.0
    for t, row in enumerate(judged):
        ended = np.array([terminates and t == steps - 1])
        total += gamma**t * float(credit.step(row, ended, np.array([False]))[0])
    done = (judged == 1).sum(axis=(0, 1))
    achieved = np.minimum(done / times[:n_subgoals], 1).mean()
    assert total == pytest.approx(0.0 if terminates else gamma**steps * achieved, abs=1e-5)


def test_unreadable_pays_nothing_and_is_counted() -> None:
    credit = Credit(2, 2, "once")
    paid = credit.step(answers([-1, -1], [1, 0]), NO, NO)
    np.testing.assert_array_equal(paid, [0.0, 1.0])
    assert credit.unreadable == 1
    assert not credit.progress[0].any()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((2, 3, "twice"), "unknown credit mode 'twice'"),
        ((0, 3), "at least one environment"),
        ((2, 0), "one subgoal"),
        ((2, 3, "once", 1.5), "gamma must lie in"),
    ],
)
def test_bad_arguments_are_named(args: tuple, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Credit(*args)


def test_wrong_shape_is_named() -> None:
    for mode in CREDIT_MODES:
        with pytest.raises(ValueError, match=r"achieved must be \(2, 3\)"):
            Credit(2, 3, mode).step(answers([1, 0]), NO, NO)


def test_what_is_not_answered_yet_pays_nothing_and_is_counted_apart() -> None:
    credit = Credit(3, 2)
    achieved = np.array([[-2, -2], [-1, 1], [1, 0]], np.int8)
    alive = np.zeros(3, np.bool_)
    assert credit.step(achieved, alive, alive).tolist() == [0, 1, 1]
    assert (credit.pending, credit.unreadable) == (1, 1)
    # Answered now: it pays, since nothing was taken for a "no".
    answered = np.array([[1, 1], [0, 1], [0, 0]], np.int8)
    assert credit.step(answered, alive, alive).tolist() == [2, 0, 0]
    assert (credit.pending, credit.unreadable) == (1, 1)
