"""A batch that grows: steps by hand, and time by the law of a step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from sim.training.ramp import RampStage, ramped_work, run_steps


def test_llama_3_doubles_twice():
    # arXiv:2407.21783, section 3.4.1: 4M until 252M tokens, 8M until 2.87T, 16M (2^24) to 15.6T:
    # 252e6 / 2^22 + 2.8697e12 / 2^23 + 12.73e12 / 2^24 = 60 + 342,100 + 758,767 = 1,100,927 steps.
    stages = [RampStage(0.25, 252e6), RampStage(0.5, 2.8697e12)]
    assert float(run_steps(stages, 15.6e12, 2.0**24)) == pytest.approx(1_100_927, rel=1e-4)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(1e9, 1e12))
def test_steps_are_the_integral_over_the_tokens(first, second, length):
    stages = [RampStage(first, length, gradual=True), RampStage(second, length)]
    grown = quad(lambda t: 1.0 / (first + (second - first) * t), 0.0, 1.0)[0] * length
    expected = grown + length / second + (5 * length - 2 * length)
    assert float(run_steps(stages, 5 * length, 1.0)) == pytest.approx(expected, rel=1e-6)


def test_a_ramp_longer_than_the_run_is_cut_off():
    assert float(run_steps([RampStage(0.5, 1e12)], 1e10, 1e6)) == pytest.approx(2e4)
    assert np.asarray(run_steps([], np.array([1e10, 2e10]), 1e6)).tolist() == [1e4, 2e4]


def test_deepseek_v3_ramp_costs_less_than_it_has_steps():
    # 3,072 to 15,360 sequences of 4,096 over 469G of 14.8T tokens: ln(5) / 0.8 = 2.01 times the steps of that part, so
    # 1 + 0.469 / 14.8 x 1.01 = 1.032 times all steps. A step of a + b B with a tenth of it fixed: 1.0032 times the time.
    steps = run_steps([RampStage(0.2, 0.469e12, gradual=True)], 14.8e12, 62_914_560.0)
    assert float(steps) / (14.8e12 / 62_914_560.0) == pytest.approx(1.0321, abs=2e-4)
    work = ramped_work(20.0, 2.0 + 0.2 * 18.0, 0.2, steps, 14.8e12, 62_914_560.0)
    assert float(work) / (20.0 * 14.8e12 / 62_914_560.0) == pytest.approx(1.00321, abs=2e-5)
