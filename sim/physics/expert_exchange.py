"""Expert parallelism on the wire: tokens sent to their experts and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.network import Network

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class ExpertGroup:
    """Chips that share the experts of a layer, and how tokens choose among them.

    Attributes
    ----------
    top_k : Array
        Experts per token.
    members : Array
        Chips of the group.
    stride : Array
        Distance of neighbours in chip numbers: 1 = next to each other.
    node_limit : Array
        Most domains above a single chip that the router may pick; inf = no limit.
    imbalance : Array
        Traffic of the busiest chip over the mean [1].
    """

    top_k: Array
    members: Array
    stride: Array = 1.0
    node_limit: Array = np.inf
    imbalance: Array = 1.0


def touched(choices: Array, places: Array, limit: Array = np.inf) -> Array:
    """Expected number of different places hit by ``choices`` uniform picks among ``places``, at most
    ``limit``.

    n (1 - (1 - 1/n)^k): DeepSeek-V3 limits it to 4 nodes by its routing (arXiv 2412.19437, section 2.1.2).

    Examples
    --------
    >>> float(touched(8, 8, limit=4))
    4.0
    """
    expected = places * (1.0 - (1.0 - 1.0 / places) ** choices)
    return np.minimum(expected, limit)


def exchange_bytes(
    tokens: Array, row_bytes: Array, group: ExpertGroup, network: Network
) -> tuple[Array, ...]:
    """What a chip with a mean share of the traffic sends into each tier in one dispatch, or receives in one combine [byte].

    A token enters a tier once for each different domain below it that holds one of its experts and is not its
    own: copies for several experts of one domain travel together and spread inside.

    Parameters
    ----------
    tokens : Array
        Tokens on one chip.
    row_bytes : Array
        Bytes of one token's activation on the wire [byte].
    """
    inner: Array = 1.0
    sent = []
    for level, reached in enumerate(network.reach(group.members, group.stride)):
        fan = reached / inner
        domains = group.members / inner
        picked = touched(group.top_k, domains, np.inf if level == 0 else group.node_limit)
        # Of the domains picked at this level, 1/fan are the one the token is already in when it comes here.
        sent.append(tokens * row_bytes * picked * (1.0 - 1.0 / fan))
        inner = reached
    return tuple(sent)


def exchange_time(tokens: Array, row_bytes: Array, group: ExpertGroup, network: Network) -> Array:
    """Time of one dispatch or one combine between the chips of an expert-parallel group [s].

    Parameters as in :func:`exchange_bytes`. The tiers work at the same time on different tokens; the slowest sets the
    pace, for the busiest chip. The fixed time is that of the outermost tier in use.
    """
    slowest: Array = 0.0
    floor: Array = 0.0
    sent = exchange_bytes(tokens, row_bytes, group, network)
    inner: Array = 1.0
    for tier, moved, reached in zip(
        network.tiers, sent, network.reach(group.members, group.stride), strict=True
    ):
        slowest = np.maximum(slowest, group.imbalance * moved / (tier.bandwidth * tier.exchange_efficiency))
        floor = np.where(reached > inner, tier.exchange_floor_s, floor)
        inner = reached
    return slowest + floor


def dispatch_and_combine_time(
    tokens: Array, hidden: Array, bytes_out: Array, bytes_back: Array, group: ExpertGroup, network: Network
) -> Array:
    """Time of one dispatch and one combine [s]; bytes per element of ``hidden`` differ on the way out and back.

    Examples
    --------
    DeepSeek-V3 on H800: 64 ranks on 8 nodes, 4 nodes per token, FP8 out, BF16 back: 3.5 remote nodes x 7,168
    x 3 B = 75 KB per token through the NIC.

    >>> from sim.physics.network import Tier
    >>> nvlink = Tier("NVLink", 8, 200e9, 0.0, 1.0, 1.0, 0.0)
    >>> nic = Tier("InfiniBand", np.inf, 75.264e9, 0.0, 1.0, 1.0, 0.0)
    >>> group = ExpertGroup(top_k=8, members=64, node_limit=4)
    >>> round(float(dispatch_and_combine_time(1e6, 7168, 1, 2, group, Network((nvlink, nic)))), 3)
    1.0
    """
    dispatch = exchange_time(tokens, hidden * bytes_out, group, network)
    return dispatch + exchange_time(tokens, hidden * bytes_back, group, network)
