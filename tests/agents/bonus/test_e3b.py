"""E3B: the elliptical bonus against numbers worked by hand and against plain inversion."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.bonus.e3b import Ellipses, RunningDeviation


def test_the_bonus_of_three_states_worked_by_hand() -> None:
    ellipses = Ellipses(1, 2, ridge=0.5)
    # C_0⁻¹ = 2 I, so φ = (1, 0) pays 2. C_1 = diag(1.5, 0.5).
    assert ellipses.add(torch.tensor([[1.0, 0.0]])).item() == pytest.approx(2.0)
    np.testing.assert_allclose(ellipses.inverses[0], [[1 / 1.5, 0], [0, 2]], atol=1e-12)
    # The same again pays 1 / 1.5. C_2 = diag(2.5, 0.5).
    assert ellipses.add(torch.tensor([[1.0, 0.0]])).item() == pytest.approx(1 / 1.5)
    # φ = (1, 1) pays 1 / 2.5 + 1 / 0.5 = 2.4. C_3 = [[3.5, 1], [1, 1.5]], of determinant 4.25.
    assert ellipses.add(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(2.4)
    expected = np.array([[1.5, -1.0], [-1.0, 3.5]]) / 4.25
    np.testing.assert_allclose(ellipses.inverses[0], expected, atol=1e-12)


def test_with_one_hot_states_it_is_one_over_the_times_met() -> None:
    ellipses = Ellipses(1, 3, ridge=1e-9)
    one_hot = torch.eye(3)
    for state in (0, 1, 2, 1):
        ellipses.add(one_hot[[state]])
    assert ellipses.add(one_hot[[1]]).item() == pytest.approx(1 / 2)
    assert ellipses.add(one_hot[[1]]).item() == pytest.approx(1 / 3)
    assert ellipses.add(one_hot[[0]]).item() == pytest.approx(1 / 1)


def test_updates_by_sherman_and_morrison_are_the_inverse() -> None:
    draw = torch.Generator().manual_seed(0)
    ellipses, whole = Ellipses(4, 6), torch.eye(6, dtype=torch.float64).repeat(4, 1, 1) * 0.1
    for step in range(200):
        phi = torch.randn(4, 6, generator=draw).double()
        expected = torch.einsum("bi,bij,bj->b", phi, torch.linalg.inv(whole), phi)
        torch.testing.assert_close(ellipses.add(phi), expected, rtol=1e-9, atol=1e-12)
        whole += phi[:, :, None] * phi[:, None, :]
        if step == 120:  # two episodes end
            ellipses.begin(np.array([1, 3]))
            whole[[1, 3]] = torch.eye(6, dtype=torch.float64) * 0.1
    torch.testing.assert_close(ellipses.inverses, torch.linalg.inv(whole), rtol=1e-9, atol=1e-12)


def test_an_episode_that_begins_forgets_alone() -> None:
    ellipses = Ellipses(2, 2, ridge=0.5)
    same = torch.ones(2, 2)
    first, second = ellipses.add(same), ellipses.add(same)
    ellipses.begin(np.array([1]))
    third = ellipses.add(same)
    assert third[1] == first[1] > second[1] > third[0]


def test_the_running_deviation_is_that_of_all_numbers() -> None:
    running, draw = RunningDeviation(), torch.Generator().manual_seed(1)
    assert running.value == 1.0
    parts = [torch.randn(8, generator=draw).double() * 3 + 5 for _ in range(5)]
    for part in parts:
        running.update(part)
    assert running.value == pytest.approx(float(torch.cat(parts).std(unbiased=False)))
    constant = RunningDeviation()
    constant.update(torch.full((4,), 2.0))
    assert constant.value == 1.0
