"""Collectives against hand arithmetic, published traffic figures and laws that must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.physics.network import (
    Network,
    Tier,
    all_gather_time,
    all_reduce_time,
    all_to_all_time,
    point_to_point_time,
    reduce_scatter_time,
)


def tier(name: str = "link", size: float = np.inf, bandwidth: float = 1e9, **more: float) -> Tier:
    given = {"latency_s": 0.0, "efficiency": 1.0, "exchange_efficiency": 1.0, "exchange_floor_s": 0.0} | more
    return Tier(name, size, bandwidth, **given)  # type: ignore[arg-type]


def nodes_of_8(fast: float = 400e9, slow: float = 50e9) -> Network:
    return Network((tier("inside", 8, fast), tier("outside", np.inf, slow)))


def test_ring_volumes_by_hand() -> None:
    flat = Network((tier(bandwidth=1e9),))
    # Ring: reduce-scatter and all-gather move V (p-1)/p, all-reduce twice that. V = 8 GB, p = 8, 1 GB/s.
    assert reduce_scatter_time(8e9, 8, 1, flat) == pytest.approx(7.0)
    assert all_gather_time(8e9, 8, 1, flat) == pytest.approx(7.0)
    assert all_reduce_time(8e9, 8, 1, flat) == pytest.approx(14.0)
    assert all_to_all_time(8e9, 8, 1, flat) == pytest.approx(7.0)


def test_all_reduce_of_two_nodes_is_bound_by_the_slower_tier() -> None:
    # 16 chips, 8 per node, V = 8 GB. Inside: 2 x 8 x 7/8 = 14 GB at 400 GB/s = 35 ms. Outside each chip
    # carries the eighth that is left: 2 x 1 x 1/2 = 1 GB at 50 GB/s = 20 ms, pipelined behind the inside.
    assert all_reduce_time(8e9, 16, 1, nodes_of_8()) == pytest.approx(0.035)
    assert all_reduce_time(8e9, 16, 1, nodes_of_8(slow=10e9)) == pytest.approx(0.100)


def test_stride_as_large_as_a_node_leaves_only_the_outer_tier() -> None:
    # One chip per node: 4 nodes, V = 1 GB: 2 x 3/4 GB at 50 GB/s.
    assert all_reduce_time(1e9, 4, 8, nodes_of_8()) == pytest.approx(1.5e9 / 50e9)


def test_reducing_switch_moves_each_byte_once() -> None:
    switch = Network((tier(bandwidth=1e9, reduces=True),))
    assert all_reduce_time(1e9, 8, 1, switch) == pytest.approx(1.0)
    assert all_gather_time(1e9, 8, 1, switch) == pytest.approx(0.875)


def test_small_messages_cost_their_latency() -> None:
    # NCCL on 8 H100 takes 15.6 us for an empty all-reduce and 10.1 us for an all-gather (aiconfigurator-core
    # 0.12.0): 2 x 3 and 3 steps of 2.6 to 3.4 us.
    fabric = Network((tier(bandwidth=450e9, latency_s=2.6e-6),))
    assert all_reduce_time(0.0, 8, 1, fabric) == pytest.approx(15.6e-6)
    assert all_gather_time(0.0, 8, 1, fabric) == pytest.approx(10.1e-6, rel=0.25)


def test_h100_nccl_table() -> None:
    # Measured, 512 MiB on 8 H100 (NCCL 2.29.2, aiconfigurator-core 0.12.0): all-gather 1.4015 ms,
    # reduce-scatter 1.3994 ms, all-to-all 1.4904 ms, 32 MiB all-gather 0.1255 ms. 450 GB/s one way at 0.75
    # and 3 us.
    fabric = Network((tier("NVLink", 8, 450e9, efficiency=0.75, latency_s=3e-6), tier()))
    big, medium = 2.0**29, 2.0**25
    assert all_gather_time(big, 8, 1, fabric) == pytest.approx(1.4015e-3, rel=0.02)
    assert reduce_scatter_time(big, 8, 1, fabric) == pytest.approx(1.3994e-3, rel=0.02)
    assert all_to_all_time(big, 8, 1, fabric) == pytest.approx(1.4904e-3, rel=0.08)
    assert all_gather_time(medium, 8, 1, fabric) == pytest.approx(0.1255e-3, rel=0.25)


def test_all_to_all_uses_all_tiers_at_once() -> None:
    # 16 chips, V = 16 GB: 7 GB stay in the node (17.5 ms), 8 GB leave it (160 ms).
    assert all_to_all_time(16e9, 16, 1, nodes_of_8()) == pytest.approx(0.160)


def test_point_to_point_takes_the_innermost_tier_that_spans_it() -> None:
    times = point_to_point_time(50e9, np.array([1, 7, 8, 64]), nodes_of_8())
    assert times == pytest.approx([0.125, 0.125, 1.0, 1.0])


def test_layouts_and_draws_broadcast() -> None:
    draws = np.array([40e9, 50e9, 60e9])
    network = Network((tier("in", 8, 400e9), tier("out", np.inf, draws)))  # type: ignore[arg-type]
    members = np.array([[2.0], [16.0], [64.0], [1.0]])
    times = np.asarray(all_reduce_time(1e9, members, 1, network))
    assert times.shape == (4, 3)
    alone = [[float(all_reduce_time(1e9, m, 1, nodes_of_8(slow=b))) for b in draws] for m in members[:, 0]]
    assert times == pytest.approx(np.array(alone))
    assert times[3] == pytest.approx(0.0)


sizes = st.floats(1.0, 1e11)
groups = st.integers(1, 4096)
rates = st.floats(1e9, 1e12)


@given(payload=sizes, members=groups, stride=st.sampled_from([1, 2, 8, 64]), fast=rates, slow=rates)
def test_more_bandwidth_never_slows_a_collective(
    payload: float, members: int, stride: int, fast: float, slow: float
) -> None:
    slower, faster = nodes_of_8(fast, slow), nodes_of_8(2 * fast, 2 * slow)
    for collective in (all_reduce_time, all_gather_time, all_to_all_time):
        assert collective(payload, members, stride, faster) <= collective(payload, members, stride, slower)
        assert collective(payload, members, stride, slower) >= 0.0


@given(payload=sizes, members=groups, fast=rates, slow=rates)
def test_all_reduce_is_reduce_scatter_and_all_gather(
    payload: float, members: int, fast: float, slow: float
) -> None:
    network = nodes_of_8(fast, slow)
    parts = reduce_scatter_time(payload, members, 1, network) + all_gather_time(payload, members, 1, network)
    assert all_reduce_time(payload, members, 1, network) == pytest.approx(float(parts))
