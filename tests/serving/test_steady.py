"""Loads in balance obey the law of closed loops."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from test_iteration import H100_NET, H200, LLAMA_70B, V3, serving

from sim.serving.job import UnitShape
from sim.serving.steady import aggregated_balance, disaggregated_balance, resident_limit


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 200), st.sampled_from(["mixed", "separate"]), st.floats(0, 2))
def test_clients_equal_throughput_times_time_in_system(clients, interleave, delay):
    """N = X (TTFT + O TPOT), whether the clients or the room for them bind."""
    base = serving(LLAMA_70B, H200, step_overhead_s=1e-3)
    job = replace(base, engine=replace(base.engine, interleave=interleave))
    found = aggregated_balance(job, H200, H100_NET, UnitShape(1, 1), clients, 32.0, delay)
    output = job.traffic.output.mean
    stay = found.ttft_s + output * found.tpot_s
    assert found.requests_per_s * stay == pytest.approx(clients, rel=0.02)
    assert found.batch <= 32.0


def test_a_slow_prefill_pool_empties_the_decode_pool():
    job = serving(V3, H200)
    shape, plenty = UnitShape(1, 16), 1e9
    free = disaggregated_balance(job, H200, H100_NET, shape, 64.0, 100.0, plenty, 0.5)
    held = disaggregated_balance(job, H200, H100_NET, shape, 64.0, 100.0, free.requests_per_s / 2, 0.5)
    assert held.requests_per_s == pytest.approx(free.requests_per_s / 2, rel=0.01)
    assert held.batch < free.batch
    assert held.ttft_s > free.ttft_s


def test_saturation_fills_the_room():
    job = serving(LLAMA_70B, H200)
    limit = resident_limit(job, H200, UnitShape(1, 1), 5000.0)
    found = aggregated_balance(job, H200, H100_NET, UnitShape(1, 1), np.inf, limit)
    assert found.batch == pytest.approx(limit)
