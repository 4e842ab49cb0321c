"""Draws: where the points of a world stand, what is shared, and what the middle of everything is."""

import numpy as np
import pytest
from scipy.stats import qmc

from sim.quantity import Quantity
from sim.resolve import MEDIAN, World
from sim.study.worlds import one_at_a_time, sobol_probabilities, sweeps, world_at

# Medians off the middle of their range on purpose, so that both halves of a distribution are put to the test.
RANGES = {
    "lognormal": (1.0, 4.0, 100.0),
    "normal": (-5.0, 1.0, 2.0),
    "logitnormal": (0.1, 0.7, 0.8),
    "uniform": (10.0, 15.0, 20.0),
    "triangular": (0.0, 3.0, 12.0),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges_are_the_5th_and_95th_percentile(name: str) -> None:
    low, middle, high = RANGES[name]
    quantity = Quantity(middle, low=low, high=high, distribution=name)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        quantity.quantile(np.array([0.05, 0.5, 0.95])), [low, middle, high], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", RANGES)
def test_a_higher_probability_never_gives_a_lower_value(name: str) -> None:
    low, middle, high = RANGES[name]
    quantity = Quantity(middle, low=low, high=high, distribution=name)  # type: ignore[arg-type]
    values = np.asarray(quantity.quantile(np.linspace(0.001, 0.999, 501)))
    assert (np.diff(values) > 0).all()


def test_share_of_the_draws_inside_the_range() -> None:
    quantity = Quantity(4.0, low=1.0, high=100.0, path="x")
    (drawn,) = world_at([quantity], sobol_probabilities(4096, 1, 3)).values.values()
    assert np.mean((drawn >= 1.0) & (drawn <= 100.0)) == pytest.approx(0.90, abs=0.001)


def test_draws_are_uniform_and_unrelated() -> None:
    points = sobol_probabilities(1024, 8, 1)
    assert points.shape == (1024, 8)
    assert points.min() > 0
    assert points.max() < 1
    # A Sobol sequence of 2^10 points puts exactly one point in each of the 2^10 equal cells of every axis.
    for column in points.T:
        assert sorted(np.floor(column * 1024).astype(int)) == list(range(1024))
    off_diagonal = np.corrcoef(points.T) - np.eye(8)
    assert np.abs(off_diagonal).max() < 0.03  # plain random draws scatter by 1 / sqrt(1024) = 0.03
    # Far more even than random points, whose centred discrepancy would be near 1e-3 here.
    assert qmc.discrepancy(points[:, :2]) < 1e-5


def test_a_seed_fixes_the_draws_and_another_changes_them() -> None:
    np.testing.assert_array_equal(sobol_probabilities(10, 3, 7), sobol_probabilities(10, 3, 7))
    assert not np.any(sobol_probabilities(10, 3, 7) == sobol_probabilities(10, 3, 8))


@pytest.mark.parametrize("draws", [1, 2, 3, 100])
def test_any_number_of_draws(draws: int) -> None:
    assert sobol_probabilities(draws, 5, 1).shape == (draws, 5)
    # Fewer draws of the same seed are the first ones of more, as far as the power of two is the same.
    np.testing.assert_array_equal(sobol_probabilities(100, 5, 1)[:70], sobol_probabilities(70, 5, 1))


def test_nothing_uncertain() -> None:
    assert sobol_probabilities(7, 0, 1).shape == (7, 0)
    assert world_at([], np.zeros((7, 0))).values == {}


def test_the_middle_of_every_input_is_the_median_world() -> None:
    inputs = [
        Quantity(m, low=low, high=high, distribution=name, path=name)  # type: ignore[arg-type]
        for name, (low, m, high) in RANGES.items()
    ]
    middle = world_at(inputs, np.full((1, len(inputs)), 0.5))
    for quantity in inputs:
        assert middle(quantity) == MEDIAN(quantity)  # to the last bit


def test_one_name_one_value() -> None:
    ours = Quantity(4.0, low=1.0, high=100.0, path="chips/x#memory.bandwidth")
    theirs = Quantity(4.0, low=1.0, high=100.0, path="chips/x#memory.bandwidth")
    other = Quantity(4.0, low=1.0, high=100.0, path="chips/y#memory.bandwidth")
    world = World({ours.path: np.array([2.0, 3.0])})
    np.testing.assert_array_equal(world(theirs), [2.0, 3.0])
    assert world(other) == 4.0


def test_one_input_at_a_time() -> None:
    rows = one_at_a_time(3)
    assert rows.tolist() == [
        [0.1, 0.5, 0.5], [0.5, 0.1, 0.5], [0.5, 0.5, 0.1],
        [0.9, 0.5, 0.5], [0.5, 0.9, 0.5], [0.5, 0.5, 0.9],
    ]  # fmt: skip


def test_sweeps_move_the_chosen_inputs_alone() -> None:
    rows = sweeps(3, [2, 0], np.array([0.2, 0.8]))
    assert rows.tolist() == [[0.5, 0.5, 0.2], [0.5, 0.5, 0.8], [0.2, 0.5, 0.5], [0.8, 0.5, 0.5]]
