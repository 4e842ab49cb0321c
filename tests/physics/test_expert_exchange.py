"""Expert exchange against published traffic figures and laws that must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.physics.expert_exchange import (
    ExpertGroup,
    dispatch_and_combine_time,
    exchange_bytes,
    exchange_time,
    touched,
)
from sim.physics.network import Network, Tier


def link(name: str, size: float, bandwidth: float = 1e12, reached: float = 1.0, floor_s: float = 0.0) -> Tier:
    return Tier(name, size, bandwidth, 0.0, 1.0, exchange_efficiency=reached, exchange_floor_s=floor_s)


NODES_OF_8 = Network((link("inside", 8, 400e9), link("outside", np.inf, 50e9)))


def test_deepseek_v3_dispatch_and_combine_traffic() -> None:
    # arXiv 2412.19437: 64-way expert parallelism over 8 nodes, at most 4 nodes per token, FP8 out, BF16 back,
    # hidden 7168. Remote nodes 4 x 7/8 = 3.5; 3.5 x 7168 x (1 + 2) B = 75,264 B per token and layer.
    group = ExpertGroup(top_k=8, members=64, node_limit=4)
    out = exchange_bytes(1.0, 7168 * 1, group, NODES_OF_8)[1]
    back = exchange_bytes(1.0, 7168 * 2, group, NODES_OF_8)[1]
    assert out + back == pytest.approx(75_264)
    # 4,096 tokens at the 42 GB/s that DeepEP reaches on 400 Gbit/s: 7.3 ms per layer.
    slow = Network((link("NVLink", 8, 160e9), link("NIC", np.inf, 50e9, reached=0.84)))
    assert dispatch_and_combine_time(4096, 7168, 1, 2, group, slow) == pytest.approx(7.3e-3, rel=0.02)


def test_without_node_limit_more_nodes_are_touched() -> None:
    # 8 uniform picks among 8 nodes hit 8 (1 - (7/8)^8) = 5.251 of them.
    assert touched(8, 8) == pytest.approx(5.251, abs=1e-3)
    remote = exchange_bytes(1.0, 1.0, ExpertGroup(8, 64), NODES_OF_8)[1]
    assert remote == pytest.approx(5.251 * 7 / 8, abs=1e-3)


def test_group_inside_one_domain_sends_nothing_outside() -> None:
    supernode = Network((link("UB", 384, 392e9), link("RDMA", np.inf, 50e9)))
    inside, outside = exchange_bytes(100.0, 7168.0, ExpertGroup(8, 64, node_limit=4), supernode)
    assert outside == 0.0
    # 8 picks among 64 ranks touch 64 (1 - (63/64)^8) = 7.573, of which 63/64 are other chips.
    assert inside == pytest.approx(100 * 7168 * 7.573 * 63 / 64, rel=1e-3)


def test_fixed_time_is_that_of_the_outermost_tier_in_use() -> None:
    network = Network((link("in", 8, floor_s=30e-6), link("out", np.inf, floor_s=80e-6)))
    assert exchange_time(0.0, 1.0, ExpertGroup(8, 8), network) == pytest.approx(30e-6)
    assert exchange_time(0.0, 1.0, ExpertGroup(8, 16), network) == pytest.approx(80e-6)
    assert exchange_time(1e6, 1.0, ExpertGroup(8, 1), network) == 0.0


@given(top_k=st.integers(1, 16), members=st.integers(2, 512), limit=st.integers(1, 8))
def test_node_limit_never_adds_traffic(top_k: int, members: int, limit: int) -> None:
    free = exchange_bytes(1.0, 1.0, ExpertGroup(top_k, members), NODES_OF_8)
    limited = exchange_bytes(1.0, 1.0, ExpertGroup(top_k, members, node_limit=limit), NODES_OF_8)
    assert limited[1] <= free[1]
    assert free[1] <= top_k
