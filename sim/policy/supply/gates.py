"""Legal imports: what is offered and wanted, a gate on each side of the border, and the caps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply.series import Matrix
from sim.quantity import Array

LIMITS = (
    "exporter's licences",
    "importer's approval",
    "quota",
    "volume cap",
    "vendor supply",
    "buyers' demand",
)


@dataclass(frozen=True, slots=True)
class Trade:
    """One product at the border, by quarter and draw.

    Attributes
    ----------
    offered, wanted : (quarters, draws) array
        What the vendor can deliver, and what buyers would take at the landed cost [chip/quarter].
    export_gate, import_gate : (quarters, draws) array
        Share of the requested chips that each government lets pass [1].
    quota : (quarters, draws) array
        Most chips that the exporter's rule allows [chip/quarter]; infinite where there is no quota.
    cap_share, home_volume : (quarters, draws) array
        Most of this product that may be shipped, as a share of what buyers in the exporting country take
        [1], [chip/quarter]. An infinite share is no cap.
    """

    offered: Matrix
    wanted: Matrix
    export_gate: Matrix
    import_gate: Matrix
    quota: Matrix
    cap_share: Matrix
    home_volume: Matrix

    @property
    def volume_cap(self) -> Matrix:
        """Share times home volume [chip/quarter]; no cap where the share is infinite."""
        capped = np.isfinite(self.cap_share)
        return np.where(capped, np.where(capped, self.cap_share, 0.0) * self.home_volume, np.inf)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Chips that pass, and what kept more from passing (index into ``LIMITS``)."""

    flow: Matrix
    binding: NDArray[np.int64]


def admitted(trade: Trade) -> Admitted:
    """The smallest of six limits, (quarters, draws).

    Notes
    -----
    Each government acts on the same requests: a licence for half of them and an approval for half of them let half
    pass, not a quarter. Of limits that are equal the first of ``LIMITS`` is named; a gate that is open limits nothing.
    """
    requested = np.minimum(trade.offered, trade.wanted)
    gates = [
        np.where(gate < 1.0, gate * requested, np.inf) for gate in (trade.export_gate, trade.import_gate)
    ]
    limits = np.stack([*gates, trade.quota, trade.volume_cap, trade.offered, trade.wanted])
    return Admitted(limits.min(axis=0), limits.argmin(axis=0))


def wanted_at(wanted: Array, landed: Array, reference: Array, elasticity: Array) -> Array:
    """Chips that buyers take when the landed cost differs from the one at which demand was stated [chip].

    Constant elasticity: ``wanted x (landed / reference) ** -elasticity``.

    Examples
    --------
    >>> float(wanted_at(100.0, 2.0, 1.0, 1.0))
    50.0
    """
    return np.asarray(wanted) * (np.asarray(landed) / np.asarray(reference)) ** -np.asarray(elasticity)
