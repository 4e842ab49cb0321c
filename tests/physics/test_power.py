"""Power and energy against logged and rated machines."""

import pytest

from sim.physics.power import chip_power, it_power


def test_mlperf_gpt3_energy():
    # MLCommons training results v4.0, 64 Supermicro nodes of 8 H100, GPT-3: 415.2 kWh (AC, IT only) in 56.9
    # minutes. Chip of 700 W; node log 6.89 kW mean over 7.29 kW peak = 95 % of the node's own peak. Around
    # the chip we assume 250 W of host, fans and conversion under load, idle 75 W, and an activity of 0.85
    # (kernel gaps, communication).
    chip = chip_power(0.85, 75.0, 700.0)
    kwh = 512 * it_power(chip, 250.0, 0.0) * 56.9 * 60 / 3.6e6
    assert kwh == pytest.approx(415.2, rel=0.15)


def test_rated_server_of_eight():
    # DGX H100 user guide: 10.2 kW at most, that is 8 x (700 W chip + 575 W of everything else).
    assert 8 * it_power(chip_power(1.0, 75.0, 700.0), 575.0, 0.0) == pytest.approx(10_200)


def test_supernode_to_the_meter():
    # 559,378 W for 384 chips (SemiAnalysis 2025-04) at PUE 1.25: 699 kW at the meter.
    assert 384 * it_power(700.0, 598.0, 159.0) * 1.25 == pytest.approx(699_222, rel=0.001)
