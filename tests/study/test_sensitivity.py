"""Sensitivity measures against scipy and against a function whose indices are known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from sim.study.sensitivity import (
    rank_correlation,
    saltelli_probabilities,
    sobol_indices,
    sobol_ranges,
    tipping_point,
)
from sim.study.worlds import sobol_probabilities

Vector = NDArray[np.float64]


def ishigami(probabilities: Vector, a: float = 7.0, b: float = 0.1) -> Vector:
    """sin x1 + a sin^2 x2 + b x3^4 sin x1 with x uniform on -pi..pi."""
    x = np.pi * (2 * probabilities - 1)
    return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])


# Ishigami and Homma (1990), as in Sobol and Levitan (1999). With a = 7, b = 0.1:
# V1 = (1 + b pi^4 / 5)^2 / 2 = 4.3459, V2 = a^2 / 8 = 6.125, V13 = b^2 pi^8 (1/18 - 1/50) = 3.3737, V = 13.8446.
FIRST = [4.3459 / 13.8446, 6.125 / 13.8446, 0.0]
TOTAL = [(4.3459 + 3.3737) / 13.8446, 6.125 / 13.8446, 3.3737 / 13.8446]


def test_the_hand_arithmetic_above() -> None:
    assert pytest.approx([0.3139, 0.4424, 0.0], abs=1e-4) == FIRST
    assert pytest.approx([0.5576, 0.4424, 0.2437], abs=1e-4) == TOTAL


@pytest.mark.parametrize(("samples", "tolerance"), [(256, 0.08), (8192, 0.02)])
def test_sobol_indices_of_the_ishigami_function(samples: int, tolerance: float) -> None:
    both = sobol_probabilities(samples, 6, 1)
    rows = saltelli_probabilities(both[:, :3], both[:, 3:], [0, 1, 2])
    found = sobol_indices(ishigami(rows), samples)
    np.testing.assert_allclose(found.first, FIRST, atol=tolerance)
    np.testing.assert_allclose(found.total, TOTAL, atol=tolerance)


def test_a_shifted_answer_has_the_same_indices() -> None:
    both = sobol_probabilities(256, 6, 1)
    answers = ishigami(saltelli_probabilities(both[:, :3], both[:, 3:], [0, 1, 2]))
    near, far = sobol_indices(answers, 256), sobol_indices(answers + 1e4, 256)
    np.testing.assert_allclose(far.first, near.first, atol=1e-9)
    np.testing.assert_allclose(far.total, near.total, atol=1e-9)


def test_chosen_columns_alone_give_the_same_indices() -> None:
    both = sobol_probabilities(1024, 6, 1)
    base, other = both[:, :3], both[:, 3:]
    every = sobol_indices(ishigami(saltelli_probabilities(base, other, [0, 1, 2])), 1024)
    two = sobol_indices(ishigami(saltelli_probabilities(base, other, [2, 0])), 1024)
    np.testing.assert_array_equal(two.total, every.total[[2, 0]])


def test_a_sum_has_indices_that_are_shares_of_variance() -> None:
    # y = 3 x1 + 4 x2 with equal variances: shares 9/25 and 16/25, and nothing together.
    both = sobol_probabilities(4096, 4, 2)
    rows = saltelli_probabilities(both[:, :2], both[:, 2:], [0, 1])
    found = sobol_indices(3 * rows[:, 0] + 4 * rows[:, 1], 4096)
    np.testing.assert_allclose(found.first, [0.36, 0.64], atol=0.01)
    np.testing.assert_allclose(found.total, [0.36, 0.64], atol=0.01)


def test_an_answer_that_does_not_move_has_no_shares() -> None:
    found = sobol_indices(np.ones(4 * 16), 16)
    assert found.first.tolist() == found.total.tolist() == [0.0, 0.0]


def test_rank_correlation_is_spearman() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.random((200, 4))
    answer = np.exp(3 * inputs[:, 0]) - inputs[:, 1] ** 3 + 0.3 * rng.random(200)
    expected = [spearmanr(column, answer).statistic for column in inputs.T]
    np.testing.assert_allclose(rank_correlation(inputs, answer), expected, atol=1e-12)


def test_rank_correlation_with_ties_is_spearman() -> None:
    inputs = np.array([[1.0], [2.0], [2.0], [3.0], [4.0], [4.0]])
    answer = np.array([5.0, 5.0, 1.0, 7.0, 7.0, 2.0])
    expected = spearmanr(inputs[:, 0], answer).statistic
    np.testing.assert_allclose(rank_correlation(inputs, answer), [expected], atol=1e-12)


def test_rank_correlation_takes_infinite_answers() -> None:
    inputs = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert rank_correlation(inputs, np.array([1.0, 5.0, 9.0, np.inf])).tolist() == [1.0]


def test_nothing_correlates_with_a_constant() -> None:
    assert rank_correlation(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([4.0, 4.0])).tolist() == [0.0, 0.0]


@given(slope=st.floats(0.1, 10) | st.floats(-10, -0.1), offset=st.floats(-5, 5), place=st.floats(0.06, 0.94))
def test_tipping_point_of_a_line(slope: float, offset: float, place: float) -> None:
    grid = np.linspace(0.05, 0.95, 19)
    found = tipping_point(grid, slope * grid + offset, slope * place + offset)
    assert found == pytest.approx(place, abs=1e-9)


def test_no_tipping_point() -> None:
    grid = np.array([0.0, 1.0])
    assert tipping_point(grid, np.array([5.0, 6.0]), 7.0) is None
    assert tipping_point(grid, np.array([5.0, 6.0]), 4.0) is None
    assert tipping_point(grid, np.array([np.nan, np.nan]), 4.0) is None


def test_the_first_of_several_tipping_points() -> None:
    assert tipping_point(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 0.0]), 1.0) == 0.5


def test_tipping_beside_worlds_without_work() -> None:
    # Where B does nothing, no count of B is enough: the answer is infinite, and flips between the two points.
    assert tipping_point(np.array([0.2, 0.4]), np.array([10.0, np.inf]), 20.0) == pytest.approx(0.3)
    assert tipping_point(np.array([0.2, 0.4]), np.array([np.inf, 10.0]), 20.0) == pytest.approx(0.3)


def test_worlds_without_an_answer_are_no_crossing() -> None:
    # Neither side works at 0.4; what is known stays above 20, or crosses it between 0.2 and 0.6.
    grid = np.array([0.2, 0.4, 0.6])
    assert tipping_point(grid, np.array([30.0, np.nan, 40.0]), 20.0) is None
    assert tipping_point(grid, np.array([10.0, np.nan, 30.0]), 20.0) == pytest.approx(0.4)


def test_bootstrap_intervals_hold_the_known_indices() -> None:
    # Nine of ten 90 % intervals hold the true index; over 20 seeds and 6 indices fewer than three quarters would be odd.
    held = []
    for seed in range(20):
        both = sobol_probabilities(512, 6, seed)
        answers = ishigami(saltelli_probabilities(both[:, :3], both[:, 3:], [0, 1, 2]))
        ranges = sobol_ranges(answers, 512, np.random.default_rng(seed))
        for (low, high), true in zip([*ranges.first, *ranges.total], [*FIRST, *TOTAL], strict=True):
            held.append(low <= true <= high)
    assert np.mean(held) >= 0.75


def test_bootstrap_intervals_shrink_with_the_root_of_the_samples() -> None:
    widths = []
    for samples in (256, 4096):
        both = sobol_probabilities(samples, 6, 1)
        answers = ishigami(saltelli_probabilities(both[:, :3], both[:, 3:], [0, 1, 2]))
        found = sobol_ranges(answers, samples, np.random.default_rng(1)).total
        widths.append(found[:, 1] - found[:, 0])
    np.testing.assert_allclose(widths[0] / widths[1], 4.0, rtol=0.3)


def test_bootstrap_of_an_answer_that_does_not_move() -> None:
    found = sobol_ranges(np.ones(4 * 16), 16, np.random.default_rng(1))
    assert found.first.tolist() == found.total.tolist() == [[0.0, 0.0], [0.0, 0.0]]
