"""Tiers of a network and the time of collectives over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Tier:
    """One level of the network, seen from one chip.

    Attributes
    ----------
    name : str
        "NVLink 4", "UB", "InfiniBand NDR" ...
    size : float
        Chips that reach each other at this level [chip]; inf for the outermost.
    bandwidth : Array
        One-way bandwidth of one chip package into this level [byte/s].
    latency_s : Array
        Time of an empty message between two chips [s].
    efficiency : Array
        Share of ``bandwidth`` that large ring collectives and copies reach [1].
    exchange_efficiency : Array
        Share of ``bandwidth`` that expert dispatch and combine (all-to-all) reach [1].
    exchange_floor_s : Array
        Fixed time of one dispatch or one combine at this level, low-latency kernels [s].
    reduces : bool
        True where switches add up partial sums (all-reduce then moves each byte once).
    """

    name: str
    size: float
    bandwidth: Array
    latency_s: Array
    efficiency: Array
    exchange_efficiency: Array
    exchange_floor_s: Array
    reduces: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """Tiers from the innermost to the outermost; the last has size inf."""

    tiers: tuple[Tier, ...]

    @property
    def scale_up(self) -> Tier:
        """The fabric that joins the chips of a server, rack or supernode: the largest tier but the last."""
        return self.tiers[-2] if len(self.tiers) > 1 else self.tiers[0]

    def reach(self, members: Array, stride: Array = 1.0) -> tuple[Array, ...]:
        """Members of a group, placed every ``stride`` chips, that one member reaches through each tier.

        Returns
        -------
        tuple of Array
            One entry per tier [members], non-decreasing; the last is ``members``.
        """
        inside = [np.clip(np.floor(tier.size / stride), 1.0, members) for tier in self.tiers[:-1]]
        return (*inside, np.asarray(members, dtype=float) + 0.0 * np.asarray(stride))


def _ring(payload: Array, members: Array, stride: Array, network: Network, passes: float) -> Array:
    """Reduce-scatter or all-gather through all tiers; ``passes=2`` makes it an all-reduce.

    Chunks are pipelined through the tiers, so the slowest tier sets the pace, while latencies add up.
    """
    inner: Array = 1.0
    slowest: Array = 0.0
    latency: Array = 0.0
    for tier, reached in zip(network.tiers, network.reach(members, stride), strict=True):
        fan = reached / inner
        moved = passes * (payload / inner) * (1.0 - 1.0 / fan)
        if tier.reduces and passes == 2.0:
            moved = np.where(fan > 1.0, payload / inner, 0.0)
        slowest = np.maximum(slowest, moved / (tier.bandwidth * tier.efficiency))
        latency = latency + passes * np.ceil(np.log2(fan)) * tier.latency_s
        inner = reached
    return slowest + latency


def all_reduce_time(payload: Array, members: Array, stride: Array, network: Network) -> Array:
    """Time to sum a buffer over a group and leave the sum with every member [s].

    Parameters
    ----------
    payload : Array
        Size of the buffer each member holds [byte].
    members : Array
        Chips in the group.
    stride : Array
        Distance of neighbours in chip numbers: 1 = next to each other.
    network : Network
        Tiers, innermost first.

    Notes
    -----
    Hierarchical: reduce-scatter inside a tier, the rest on the share that is left, and back. Per tier with
    fan-out g on a buffer V the ring moves 2 V (g - 1) / g, a reducing switch moves V; latency counts the
    ceil(log2 g) steps of recursive halving and doubling (Thakur, Rabenseifner, Gropp 2005,
    doi:10.1177/1094342005051521, section 4).

    Examples
    --------
    >>> tier = Tier("link", np.inf, 1e9, 0.0, 1.0, 1.0, 0.0)
    >>> float(all_reduce_time(1e9, 4, 1, Network((tier,))))
    1.5
    """
    return _ring(payload, members, stride, network, passes=2.0)


def all_gather_time(payload: Array, members: Array, stride: Array, network: Network) -> Array:
    """Time until every member holds the whole buffer of which it had 1/members [s].

    ``payload`` is the size of the whole, gathered buffer [byte]; the rest as in :func:`all_reduce_time`.
    """
    return _ring(payload, members, stride, network, passes=1.0)


def reduce_scatter_time(payload: Array, members: Array, stride: Array, network: Network) -> Array:
    """Time until every member holds its 1/members of the sum of a buffer [s].

    ``payload`` is the size of the whole buffer before it is scattered [byte]; the rest as in
    :func:`all_reduce_time`.
    """
    return _ring(payload, members, stride, network, passes=1.0)


def ring_latency(members: Array, stride: Array, network: Network) -> Array:
    """Time of the empty messages of one flat ring over a group: one reduce-scatter or one all-gather [s].

    Notes
    -----
    A chunk visits all other members one after the other, so the time grows with their number, not its logarithm:
    libraries run these two collectives as rings, and trees only for all-reduce (NCCL before 2.23). A hop counts the
    latency of the tier it crosses; ranks of a domain follow each other.

    Examples
    --------
    16 chips in two domains of eight: 14 hops inside, one between.

    >>> near = Tier("near", 8, 1e9, 1.0, 1.0, 1.0, 0.0)
    >>> far = Tier("far", np.inf, 1e9, 10.0, 1.0, 1.0, 0.0)
    >>> float(ring_latency(16, 1, Network((near, far))))
    24.0
    """
    groups: Array = np.asarray(members, dtype=float)
    total: Array = 0.0
    for tier, reached in zip(network.tiers, network.reach(members, stride), strict=True):
        left = members / reached
        total = total + np.maximum(groups - left, 0.0) * tier.latency_s
        groups = left
    return total


def all_to_all_time(payload: Array, members: Array, stride: Array, network: Network) -> Array:
    """Time of a uniform exchange in which each member sends 1/members of its buffer to every other [s].

    ``payload`` is what one member holds before [byte]. The tiers carry their shares at the same time, each
    over its own link of the chip; the rest as in :func:`all_reduce_time`.
    """
    inner: Array = 1.0
    slowest: Array = 0.0
    latency: Array = 0.0
    for tier, reached in zip(network.tiers, network.reach(members, stride), strict=True):
        moved = payload * (reached - inner) / members
        slowest = np.maximum(slowest, moved / (tier.bandwidth * tier.efficiency))
        latency = latency + np.where(reached > inner, tier.latency_s, 0.0)
        inner = reached
    return slowest + latency


def point_to_point_time(payload: Array, distance: Array, network: Network) -> Array:
    """Time to send ``payload`` [byte] to the chip whose number is ``distance`` away [s].

    The innermost tier that spans the distance carries it.

    Examples
    --------
    >>> near = Tier("near", 8, 4e9, 0.0, 1.0, 1.0, 0.0)
    >>> far = Tier("far", np.inf, 1e9, 0.0, 1.0, 1.0, 0.0)
    >>> point_to_point_time(4e9, np.array([1, 8]), Network((near, far))).tolist()
    [1.0, 4.0]
    """
    spans = [np.asarray(distance) < tier.size for tier in network.tiers]
    times = [payload / (tier.bandwidth * tier.efficiency) + tier.latency_s for tier in network.tiers]
    return np.select(np.broadcast_arrays(*spans), np.broadcast_arrays(*times)) if len(spans) > 1 else times[0]
