"""Quantities: percentiles where the file put them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm, norm

from sim.quantity import Quantity, UnknownQuantityError

SHARES = st.tuples(*[st.floats(0.01, 0.99)] * 3).map(sorted)


@given(SHARES, st.sampled_from(["lognormal", "logitnormal", "normal", "uniform"]))
def test_low_and_high_are_the_5th_and_95th_percentile(ends: list[float], name: str) -> None:
    quantity = Quantity(ends[1], low=ends[0], high=ends[2], distribution=name)  # type: ignore[arg-type]
    got = np.asarray(quantity.quantile(np.array([0.05, 0.95])))
    assert got == pytest.approx([ends[0], ends[2]], rel=1e-9)


@given(SHARES, st.sampled_from(["lognormal", "logitnormal", "normal", "triangular"]))
def test_value_is_the_median(ends: list[float], name: str) -> None:
    quantity = Quantity(ends[1], low=ends[0], high=ends[2], distribution=name)  # type: ignore[arg-type]
    assert float(np.asarray(quantity.quantile(0.5))) == pytest.approx(ends[1], rel=1e-9)


@given(SHARES, st.sampled_from(["lognormal", "logitnormal", "normal", "uniform", "triangular"]))
def test_quantiles_ascend(ends: list[float], name: str) -> None:
    quantity = Quantity(ends[1], low=ends[0], high=ends[2], distribution=name)  # type: ignore[arg-type]
    assert np.all(np.diff(np.asarray(quantity.quantile(np.linspace(0.01, 0.99, 99)))) >= -1e-12)


def test_triangular_by_hand() -> None:
    # Half a triangle from mode 10 down to 10 - w has density 2 * (0.5 / w) * ... ; the mass below 10 - w + x is
    # 0.5 (x / w)^2. At the 5th percentile 0.5 (x / w)^2 = 0.05, so x / w = sqrt(0.1) and w = (10 - 8) / (1 - sqrt(0.1)).
    quantity = Quantity(10.0, low=8.0, high=13.0, distribution="triangular")
    width = 2.0 / (1.0 - 0.1**0.5)
    assert float(np.asarray(quantity.quantile(0.05))) == pytest.approx(8.0)
    assert float(np.asarray(quantity.quantile(0.0))) == pytest.approx(10.0 - width)


def test_symmetric_ranges_are_the_textbook_distributions() -> None:
    p = np.array([0.01, 0.3, 0.8])
    z95 = norm.ppf(0.95)
    normal = Quantity(10.0, low=8.0, high=12.0, distribution="normal")
    assert np.asarray(normal.quantile(p)) == pytest.approx(norm.ppf(p, 10.0, 2.0 / z95))
    wide = Quantity(10.0, low=5.0, high=20.0)
    assert np.asarray(wide.quantile(p)) == pytest.approx(lognorm.ppf(p, np.log(2) / z95, scale=10.0))


def test_without_a_range_the_value_stands_for_every_draw() -> None:
    assert np.asarray(Quantity(3.0).quantile(np.array([0.1, 0.9]))).tolist() == [3.0, 3.0]


def test_unknown_says_whose() -> None:
    with pytest.raises(UnknownQuantityError, match=r"chips/x#price is unknown"):
        Quantity(float("nan"), path="chips/x#price").quantile(0.5)
