"""Cost of tokens and runs against published bills."""

import numpy as np
import pytest

from sim.economics.ownership import rental, total
from sim.economics.token import (
    Phase,
    all_in_output_cost,
    chip_seconds_per_million,
    request_cost,
    serving_cost,
    training_cost,
)

TWO_USD_PER_HOUR = rental(2.0 / 3600)


@pytest.mark.parametrize(
    ("million_hours", "million_usd"), [(2.664, 5.328), (0.119, 0.238), (0.005, 0.01), (2.788, 5.576)]
)
def test_deepseek_v3_bill(million_hours, million_usd):
    # arXiv:2412.19437 table 1: H800 hours of pre-training, context extension, post-training, and in all, at 2
    # USD.
    chips = 2048.0
    wall_s = million_hours * 1e6 * 3600 / chips
    assert total(training_cost(TWO_USD_PER_HOUR, chips, wall_s)) == pytest.approx(million_usd * 1e6)


def test_deepseek_day_six_bill():
    # 226.75 nodes x 8 chips x 24 h x 2 USD = 87,072 USD a day for 168 G output tokens: 0.518 USD per million,
    # all in.
    day = total(training_cost(TWO_USD_PER_HOUR, 226.75 * 8, 86_400.0))
    assert day == pytest.approx(87_072)
    # 131.4 decode and 95.5 prefill nodes from 14,800 and 73,700 tokens/s per node (hits included); 266 G of
    # 608 G missed.
    decode = serving_cost(TWO_USD_PER_HOUR, Phase(14_800 / 8))
    prefill = serving_cost(TWO_USD_PER_HOUR, Phase(73_700 / 8 * 266 / 608))
    all_in = total(all_in_output_cost(prefill, decode, 266 / 168))
    assert all_in == pytest.approx(87_072 / 168e9 * 1e6, rel=0.001)
    assert total(request_cost(prefill, decode, 266e9, 168e9)) == pytest.approx(87_072, rel=0.001)


def test_deepseek_day_six_theoretical_revenue():
    # 342 G hits x 0.14 + 266 G misses x 0.55 + 168 G output x 2.19 USD per million (R1 prices): 562,027 USD a
    # day, rounded inputs.
    revenue = (342e3 * 0.14 + 266e3 * 0.55) + total(request_cost({"price": 0.0}, {"price": 2.19}, 0.0, 168e9))
    assert revenue == pytest.approx(562_027, rel=0.001)
    assert revenue / 87_072 - 1 == pytest.approx(5.45, abs=0.01)


def test_sixteen_dollars_a_node_hour():
    # 16 USD per node-hour over 14,800 token/s = 0.30 USD per million output tokens; over 73,700 = 0.060.
    assert total(serving_cost(TWO_USD_PER_HOUR, Phase(14_800 / 8))) == pytest.approx(0.30, abs=0.001)
    assert total(serving_cost(TWO_USD_PER_HOUR, Phase(73_700 / 8))) == pytest.approx(0.060, abs=0.0005)


def test_half_used_fleets_cost_twice_as_much():
    assert chip_seconds_per_million(Phase(1000.0, 0.5)) == 2 * chip_seconds_per_million(Phase(1000.0))
    draws = Phase(np.array([1000.0, 2000.0]), 0.5)
    assert total(serving_cost({"chip": 1e-3, "power": 1e-4}, draws)) == pytest.approx([2.2, 1.1])
