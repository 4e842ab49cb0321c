"""The error of a percentile against its known size, and draws that double until it is small enough."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from sim.study.convergence import BLOCKS, Reached, course, draws_needed, percentile_errors, reached
from sim.study.worlds import sobol_probabilities, sobol_rows

# Standard error of a percentile of n independent normal draws: sqrt(p (1 - p) / n) / phi(z_p).
# At p = 0.05 and n = 4096: sqrt(0.0475 / 4096) / 0.10314 = 0.003405 / 0.10314 = 0.03302; median: 0.0195832 .
EXPECTED = {0.05: 0.03302, 0.50: 0.01958, 0.95: 0.03302}
T90 = 1.8946  # 95th percentile of Student's t with seven degrees of freedom (any table)


def test_the_table_of_student() -> None:
    assert BLOCKS == 8
    assert student.ppf(0.95, 7) == pytest.approx(T90, abs=1e-4)


def test_error_of_independent_draws_is_the_known_one() -> None:
    rng = np.random.default_rng(1)
    found = np.array([percentile_errors(rng.standard_normal(4096)) for _ in range(200)]) / T90
    # The mean of s over samples with seven degrees of freedom is 0.9650 sigma (c4 of n = 8).
    np.testing.assert_allclose(found.mean(axis=0), 0.9650 * np.array(list(EXPECTED.values())), rtol=0.06)


def test_nine_in_ten_intervals_hold_the_true_percentile() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(400):
        values = rng.standard_normal(2048)
        errors = percentile_errors(values)
        missed = [abs(np.quantile(values, p) - norm.ppf(p)) for p in EXPECTED]
        held.append([miss <= error for miss, error in zip(missed, errors, strict=True)])
    assert np.mean(held, axis=0) == pytest.approx([0.9, 0.9, 0.9], abs=0.05)


def test_error_of_sobol_draws_is_on_the_safe_side() -> None:
    def answer(p: np.ndarray) -> np.ndarray:
        return norm.ppf(p).sum(axis=1) / math.sqrt(p.shape[1])  # standard normal, whatever the dimensions

    held = []
    for seed in range(100):
        values = answer(sobol_probabilities(1024, 6, seed))
        errors = percentile_errors(values)
        missed = [abs(np.quantile(values, p) - norm.ppf(p)) for p in EXPECTED]
        held.append([miss <= error for miss, error in zip(missed, errors, strict=True)])
    assert np.mean(held, axis=0).min() >= 0.9 - 0.06  # two standard errors of a share of 0.9 among 100


def test_too_few_draws_say_nothing_of_their_error() -> None:
    assert all(math.isnan(error) for error in percentile_errors(np.arange(119.0)))
    assert math.isnan(reached(np.arange(119.0)).relative)


def test_endless_answers() -> None:
    values = np.tile(np.concatenate([np.arange(18.0), [np.inf, np.inf]]), 16)  # a tenth in every block
    low, middle, high = percentile_errors(values)
    assert high == 0.0  # the 95th percentile is endless, and known to be
    assert np.isfinite([low, middle]).all()
    mixed = np.concatenate([values[:160], np.arange(160.0)])
    assert percentile_errors(mixed)[2] == math.inf


def test_relative_error_by_hand() -> None:
    assert Reached(100, (50.0, 100.0, 150.0), (2.0, 1.0, 4.0)).relative == pytest.approx(0.04)


def test_the_course_ends_with_all_draws() -> None:
    found = course(np.arange(1000.0))
    assert [each.draws for each in found] == [62, 125, 250, 500, 1000]
    assert found[-1] == reached(np.arange(1000.0))


def test_draws_double_until_the_error_is_small_enough() -> None:
    rows = lambda first, last: norm.ppf(sobol_rows(first, last - first, 1, 1)[:, 0])  # noqa: E731
    wide = lambda first, last: 10.0 + rows(first, last)  # noqa: E731
    narrow = lambda first, last: 10.0 + 0.01 * rows(first, last)  # noqa: E731
    draws, why = draws_needed([("wide", wide), ("narrow", narrow)], 0.002, 128, 65536)
    assert draws > 128
    assert math.log2(draws / 128).is_integer()
    assert why.open == ()
    assert reached(wide(0, draws)).relative <= 0.002 < reached(wide(0, draws // 2)).relative
    assert draws_needed([("narrow", narrow)], 0.002, 128, 65536)[0] == 128


def test_draws_stop_at_the_most() -> None:
    rng = np.random.default_rng(3)
    draws, why = draws_needed([("noise", lambda a, b: 1 + rng.random(b - a))], 1e-9, 100, 350)
    assert draws == 350
    assert why.open == ("noise",)
