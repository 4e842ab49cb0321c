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
        """The fabric that joins the chips of a server, rack or supernode: the largest tier that is not the last."""
        return self.tiers[-2] if len(self.tiers) > 1 else self.tiers[0]

    @property
    def scale_out(self) -> Tier:
        """The fabric between servers, racks or supernodes."""
        return self.tiers[-1]
