"""Power and energy against logged and rated machines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.physics.power import chip_power, energy, facility_power, it_power, mean_power


def test_mlperf_gpt3_energy():
    # MLCommons training results v4.0, 64 Supermicro nodes of 8 H100, GPT-3: 415.2 kWh (AC, IT only) in 56.9
    # minutes. Chip of 700 W; node log 6.89 kW mean over 7.29 kW peak = 95 % of the node's own peak. Around
    # the chip we assume 250 W of host, fans and conversion under load, idle 75 W, and an activity of 0.85
    # (kernel gaps, communication).
    chip = chip_power(0.85, 75.0, 700.0)
    kwh = 512 * energy(it_power(chip, 250.0, 0.0), 56.9 * 60) / 3.6e6
    assert kwh == pytest.approx(415.2, rel=0.15)
    assert 512 * energy(861.25, 56.9 * 60) / 3.6e6 == pytest.approx(418, abs=1)  # 6.89 kW / 8 on every node


def test_rated_server_of_eight():
    # DGX H100 user guide: 10.2 kW at most, that is 8 x (700 W chip + 575 W of everything else).
    assert 8 * it_power(chip_power(1.0, 75.0, 700.0), 575.0, 0.0) == pytest.approx(10_200)


def test_supernode_to_the_meter():
    # 559,378 W for 384 chips (SemiAnalysis 2025-04) at PUE 1.25: 699 kW at the meter.
    assert facility_power(384 * it_power(700.0, 598.0, 159.0), 1.25) == pytest.approx(699_222, rel=0.001)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.1, 1e6)), min_size=1, max_size=20))
def test_energy_is_power_times_time(stretches):
    power, seconds = (np.array(column) for column in zip(*stretches, strict=True))
    assert energy(power, seconds) == pytest.approx(sum(p * s for p, s in stretches))
    assert mean_power(power, seconds) * seconds.sum() == pytest.approx(energy(power, seconds))


def test_draws_stay_on_the_last_axis():
    power = np.array([[700.0, 600.0], [100.0, 90.0]])
    assert energy(power, np.array([[10.0], [5.0]])) == pytest.approx([7_500.0, 6_450.0])
