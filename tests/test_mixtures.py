"""Beta distributions and mixtures: percentiles against scipy and against sums by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from scipy import stats

from sim.profiles.numbers import Dimension, read_quantity
from sim.quantity import Quantity, beta_shape
from sim.study.worlds import sobol_probabilities

SHARE = Dimension("", "logitnormal")
RATE = Dimension("FLOP/s")


@settings(deadline=None, max_examples=25)
@given(st.floats(0.5, 20), st.floats(0.5, 20))
def test_beta_is_found_again_from_its_percentiles(a: float, b: float) -> None:
    low, high = stats.beta(a, b).ppf([0.05, 0.95])
    if 1e-6 < low < high < 1 - 1e-6:
        np.testing.assert_allclose(beta_shape(float(low), float(high)), (a, b), rtol=1e-4)


def test_beta_in_a_file() -> None:
    # Beta(2, 2) has its median at one half and its 5th percentile at 0.13535.
    text = {"value": 0.5, "low": 0.13535, "high": 0.86465, "distribution": "beta", "kind": "assumed"}
    share = read_quantity(text, SHARE, {})
    assert share.quantile(0.5) == 0.5
    np.testing.assert_allclose(
        share.quantile(np.array([0.1, 0.9])), stats.beta(2, 2).ppf([0.1, 0.9]), atol=1e-4
    )


def test_two_numbers_with_weights_are_discrete() -> None:
    text = {"mixture": [{"weight": 0.3, "value": "780 TFLOP/s"}, {"weight": 0.7, "value": "560 TFLOP/s"}]}
    peak = read_quantity(text, RATE, {})
    # Ordered by size: 560 up to a probability of 0.7, then 780.
    np.testing.assert_array_equal(
        peak.quantile(np.array([0.01, 0.69, 0.71, 0.99])), [560e12, 560e12, 780e12, 780e12]
    )
    assert (peak.value, peak.low, peak.high) == (560e12, 560e12, 780e12)
    assert peak.is_uncertain
    drawn = peak.quantile(sobol_probabilities(1024, 1, 1)[:, 0])
    assert abs(np.mean(drawn == 780e12) - 0.3) < 2e-3


def test_one_sure_number_among_rare_ones_stays_uncertain() -> None:
    text = {"mixture": [{"weight": 0.98, "value": "1 TFLOP/s"}, {"weight": 0.02, "value": "2 TFLOP/s"}]}
    assert read_quantity(text, RATE, {}).is_uncertain


def test_a_mixture_of_ranges_has_the_sum_of_their_cumulative_distributions() -> None:
    parts = (
        (0.25, Quantity(10.0, 5.0, 15.0, distribution="normal")),
        (0.75, Quantity(12.0, 11.0, 13.0, distribution="normal")),
    )
    mixed = Quantity(0.0, distribution="mixture", parts=parts)
    p = np.array([0.02, 0.1, 0.5, 0.9, 0.98])
    x = mixed.quantile(p)
    z95 = stats.norm.ppf(0.95)
    found = 0.25 * stats.norm(10, 5 / z95).cdf(x) + 0.75 * stats.norm(12, 1 / z95).cdf(x)
    np.testing.assert_allclose(found, p, atol=2e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ({"mixture": [{"weight": 1, "value": "1 TFLOP/s"}]}, "two or more parts"),
        ({"mixture": [{"weight": 0.5, "value": "1 TFLOP/s"}] * 3}, "weights add up to 1.5; make it 1"),
        ({"mixture": [{"value": "1 TFLOP/s"}] * 2}, "weight None is no number between 0 and 1"),
        ({"mixture": [{"weight": 0.5, "value": "1 TB"}] * 2}, "TB"),
        ({"mixture": [{"weight": 0.5, "value": "unknown"}] * 2}, "a part is unknown"),
        (
            {"mixture": [{"weight": 0.5, "value": "1 TFLOP/s"}] * 2, "low": "0 TFLOP/s"},
            "has no low of its own",
        ),
        ({"value": "1 TFLOP/s", "weight": 0.5}, 'unknown key "weight"'),
    ],
)
def test_mistakes_in_a_mixture(text: object, said: str) -> None:
    with pytest.raises(PydanticCustomError, match=said):
        read_quantity(text, RATE, {})


def test_a_beta_says_where_its_median_lies() -> None:
    text = {"value": 0.3, "low": 0.13535, "high": 0.86465, "distribution": "beta"}
    with pytest.raises(PydanticCustomError, match=r"has its median at 0\.5, not 0\.3"):
        read_quantity(text, SHARE, {})
    with pytest.raises(PydanticCustomError, match="lies between 0 and 1"):
        read_quantity(
            {"value": "2 TFLOP/s", "low": "1 TFLOP/s", "high": "3 TFLOP/s", "distribution": "beta"}, RATE, {}
        )
