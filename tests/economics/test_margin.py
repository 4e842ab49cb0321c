"""Price lists against published bills, and break-evens against a root finder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from sim.economics.margin import TokenMix, TokenPrices, break_even, margin, markup, reachable, revenue

DAY = TokenMix(missed=266e9, hit=342e9, output=168e9)
R1 = TokenPrices(input_miss=0.55, input_hit=0.14, output=2.19)


def test_deepseek_day_of_february_2025():
    # 226.75 nodes x 8 x 24 h x 2 USD = 87,072 against 562,027 USD: a profit of 545 % over cost, 84.5 % of revenue.
    earned = revenue(R1, DAY)
    assert earned == pytest.approx(562_027, rel=0.001)
    assert markup(87_072.0, earned) == pytest.approx(5.45, abs=0.01)
    assert margin(87_072.0, earned) == pytest.approx(1 - 87_072 / 562_027, abs=0.001)


def test_a_session_sells_for_its_requests():
    request = TokenMix(missed=100.0, hit=900.0, output=50.0)
    assert revenue(R1, request.times(84)) == pytest.approx(84 * revenue(R1, request))


@given(st.floats(0.1, 100.0), st.floats(0.01, 10.0), st.floats(0.0, 1000.0))
def test_break_even_is_the_root_of_the_same_cost(fixed, slope, target):
    def cost(x):
        return fixed + slope * np.asarray(x)

    found = break_even(cost, target, (0.0, 1.0))
    root = brentq(lambda x: float(cost(x)) - target, -1e6, 1e6)
    assert found == pytest.approx(root, rel=1e-6, abs=1e-6)


def test_break_even_draw_by_draw():
    fixed = np.array([10.0, 30.0, 10.0])
    slope = np.array([0.5, 0.5, 0.0])
    found = np.asarray(break_even(lambda x: fixed + slope * x, 20.0, (0.0, 1.0)))
    assert found[:2] == pytest.approx([20.0, -20.0])
    assert np.isnan(found[2])  # the input does not move the cost
    assert reachable(found).tolist() == [True, False, False]
    assert reachable(found, 0.0, 10.0).tolist() == [False, False, False]


def test_a_bent_cost_is_refused():
    with pytest.raises(ValueError, match="straight line"):
        break_even(lambda x: np.asarray(x) ** 2, 1.0, (0.0, 2.0))
