"""Depreciation against present values, hand arithmetic and Epoch AI's published costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.economics.depreciation import (
    amortised_epoch,
    annuity_rate,
    straight_line_rate,
    value_after,
    value_loss_rate,
)

YEAR = 365.25 * 86_400.0


@given(st.floats(0.0, 0.3), st.floats(1.0, 30.0), st.floats(0.0, 0.9))
def test_payments_and_the_sale_repay_exactly_the_loan(rate, years, residual):
    # Present value: integral of a exp(-r t) over the life, by the trapezoid rule, plus the sale at the end.
    a = annuity_rate(rate, years, residual)
    t = np.linspace(0.0, years, 20_001)
    paid = np.trapezoid(a * np.exp(-rate * t), t) + residual * np.exp(-rate * years)
    assert paid == pytest.approx(1.0, rel=1e-5)


def test_what_comes_back_costs_only_its_interest():
    assert annuity_rate(0.1, 5.0, 1.0) == pytest.approx(0.1)
    assert straight_line_rate(4.0, 0.2) == pytest.approx(0.2)  # (1 - 0.2) / 4


def test_value_loss_is_the_slope_of_the_value():
    # 0.14 orders of magnitude a year: 10^-0.14 = 0.7244 after one year; slope at the start 0.14 x 2.302585 = 0.32236.
    assert value_after(10_000.0, 1.0, 0.14) == pytest.approx(7_244, rel=1e-4)
    assert value_loss_rate(0.14) == pytest.approx(0.32236, rel=1e-4)
    step = 1e-6
    assert (1 - value_after(1.0, step, 0.14)) / step == pytest.approx(value_loss_rate(0.14), rel=1e-5)


def test_epoch_cost_of_gpt_4():
    # Epoch AI, training-cost-trends, model_costs.csv: GPT-4, hardware acquisition 778.067 M USD, capex and energy of
    # the run 40.696 M USD. Their inputs: 25,000 A100 for 95 days; available 90 days after the release of 2020-05-14,
    # that is 2020-08-12; run from 95 days before 2022-08-15, that is 2022-05-12: 638 days later. Energy: 6.5 kW per 8
    # chips at 75 % of it, PUE 1.25, 0.0806 USD/kWh, in dollars 1.0134 times as small (778.067 M x 0.81 / 25,000 =
    # 25,209 USD against their 24,875 of a DGX A100 over 8).
    chips, hours = 25_000, 95 * 24
    start_usd = value_after(778.067e6 / chips, 638 / 365.25, 0.14)
    hardware = amortised_epoch(start_usd, chips * hours * 3600.0, 0.14)
    energy = chips * hours * 6.5 / 8 * 0.75 * 1.25 * 0.0806 * 1.0134
    assert hardware + energy == pytest.approx(40.696e6, rel=0.005)
