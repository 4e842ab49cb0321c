"""The count of B that does the work of A: exact where a closed form exists, and lawful everywhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.study.parity import count_grid, equal_count, whole_units

COUNTS = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])


def one(target: float, counts: list[float], throughput: list[float]) -> float:
    """The count in a single draw."""
    found = equal_count(np.array([target]), np.array(counts), np.array(throughput)[:, None])
    return float(found[0])


@given(power=st.floats(0.2, 1.5), scale=st.floats(1e-3, 1e6), wanted=st.floats(1.0, 1e5))
def test_exact_for_power_laws_within_the_grid_and_beyond(power: float, scale: float, wanted: float) -> None:
    # throughput = c n^p, so the target c m^p is reached at n = m.
    throughput = scale * COUNTS[:, None] ** power
    found = equal_count(np.array([scale * wanted**power]), COUNTS, throughput)
    assert found[0] == pytest.approx(wanted, rel=1e-6)


def test_draws_are_answered_one_by_one() -> None:
    throughput = np.stack([COUNTS, 2 * COUNTS, np.sqrt(COUNTS)], axis=1)
    found = equal_count(np.array([300.0, 300.0, 30.0]), COUNTS, throughput)
    np.testing.assert_allclose(found, [300.0, 150.0, 900.0], rtol=1e-12)


def test_more_chips_that_do_less_need_not_be_used() -> None:
    # 400 chips do 35, less than 200 with 40: nobody has to use them all. From 40 at (effectively) 400 to 80 at 800
    # is a straight line in logarithms, so 60 is reached at 400 x 2^(log 1.5 / log 2) = 600.
    assert one(60.0, [100.0, 200.0, 400.0, 800.0], [20.0, 40.0, 35.0, 80.0]) == pytest.approx(600.0)
    # ... and 30 already between the first two: 100 x 1.5.
    assert one(30.0, [100.0, 200.0, 400.0, 800.0], [20.0, 40.0, 35.0, 80.0]) == pytest.approx(150.0)


@given(
    throughput=st.lists(st.floats(0.1, 1e3), min_size=5, max_size=5),
    target=st.floats(0.1, 1e3),
    factor=st.floats(1.0, 10.0),
)
def test_more_work_never_needs_fewer_chips(throughput: list[float], target: float, factor: float) -> None:
    few = one(target, COUNTS.tolist(), throughput)
    many = one(factor * target, COUNTS.tolist(), throughput)
    assert many >= few * (1 - 1e-9)


@given(throughput=st.lists(st.floats(0.1, 1e3), min_size=5, max_size=5), target=st.floats(0.1, 1e3))
def test_the_count_found_is_enough(throughput: list[float], target: float) -> None:
    found = one(target, COUNTS.tolist(), throughput)
    reached = np.maximum.accumulate(throughput)
    if found <= COUNTS[-1]:
        # The cluster that is given one whole grid step more does at least the target.
        enough = reached[np.searchsorted(COUNTS, found * (1 - 1e-9))]
        assert enough >= target * (1 - 1e-9)


def test_nothing_to_do_needs_no_chips() -> None:
    assert one(0.0, [1.0, 2.0], [5.0, 10.0]) == 0.0


def test_no_count_is_enough() -> None:
    assert one(5.0, [1.0, 2.0], [0.0, 0.0]) == np.inf
    assert one(5.0, [1.0, 2.0], [3.0, 3.0]) == np.inf  # more chips no longer help


def test_less_than_the_grid_with_a_flat_start() -> None:
    # 200 chips do no more than 100, and beyond throughput grows as the count: half of 10 needs half of 100.
    assert one(5.0, [100.0, 200.0, 400.0], [10.0, 10.0, 20.0]) == pytest.approx(50.0)
    assert one(5.0, [100.0, 200.0], [10.0, 10.0]) == pytest.approx(50.0)


def test_small_counts_that_do_nothing_yet() -> None:
    # 1 and 2 chips cannot hold the model; 4 and 8 do 10 and 20: 15 is reached at 6 in logarithm, 4 x 1.5.
    assert one(15.0, [1.0, 2.0, 4.0, 8.0], [0.0, 0.0, 10.0, 20.0]) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("count", "unit", "bought"),
    [(9_905.2, 8, 9_912), (9_904.0, 8, 9_904), (9_904.000000001, 8, 9_904), (1.0, 384, 384), (0.0, 8, 0),
     (385.0, 384, 768), (255.99999999999994, 64, 256)],
)  # fmt: skip
def test_whole_units(count: float, unit: int, bought: int) -> None:
    assert whole_units(count, unit) == bought


def test_no_whole_number_of_units_is_enough() -> None:
    assert whole_units(math.inf, 8) is None
    assert whole_units(math.nan, 8) is None


def test_the_grid_is_a_ladder_in_whole_units_around_its_centre() -> None:
    grid = count_grid(9_000.0, 8)
    assert (grid % 8 == 0).all()
    assert (np.diff(grid) > 0).all()
    assert grid[0] <= 3_000.0 < 1.2 * grid[0] + 8
    assert grid[-1] >= 27_000.0 > grid[-1] / 1.2 - 8


def test_another_centre_has_the_same_rungs() -> None:
    one, other = count_grid(9_000.0, 8), count_grid(9_900.0, 8)
    both = (one >= other[0]) & (one <= other[-1])
    assert set(one[both]) <= set(other)


def test_counts_that_the_question_names_are_looked_at() -> None:
    grid = count_grid(9_000.0, 8, (12_000, 1_000_000))
    assert 12_000 in grid
    assert 1_000_000 not in grid


def test_a_grid_around_less_than_one_unit() -> None:
    assert count_grid(3.0, 8).tolist() == [8.0]
