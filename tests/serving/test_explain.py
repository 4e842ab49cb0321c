"""Activity of a chip from what binds its steps."""

from dataclasses import replace

import pytest
from test_iteration import H800

from sim.serving.explain import activity
from sim.serving.iteration import StepTime


def test_activity_weighs_causes_by_the_power_they_draw():
    """2 s of compute, 5 s of memory at 0.6, 2 + 1 s of waiting at 0.3: (2 + 3 + 0.9) / 10."""
    bounds = {"compute": 2.0, "bandwidth": 5.0, "network": 2.0, "latency": 1.0}
    step = StepTime(10.0, {}, bounds, 0.0, 0.0, 0.0)
    assert activity(step, H800) == pytest.approx(0.59)
    assert activity(step, replace(H800, memory_activity=1.0, waiting_activity=0.0)) == pytest.approx(0.7)
