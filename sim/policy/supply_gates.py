"""Legal imports: what is offered and wanted, a gate on each side of the border, and the caps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply_series import Matrix
from sim.quantity import Array

LIMITS = (
    "vendor supply",
    "buyers' demand",
    "exporter's licences",
    "importer's approval",
    "quota",
    "volume cap",
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
    pass, not a quarter.
    """
    requested = np.minimum(trade.offered, trade.wanted)
    limits = np.stack(
        [
            trade.offered,
            trade.wanted,
            trade.export_gate * requested,
            trade.import_gate * requested,
            trade.quota,
            trade.volume_cap,
        ]
    )
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


def landed_cost(price: Array, duty: Array, revenue_share: Array, passed_on: Array, tax: Array = 0.0) -> Array:
    """What a chip costs the buyer at his door [USD/chip].

    Parameters
    ----------
    price : Array
        Price before any of these [USD/chip].
    duty, revenue_share : Array
        Shares of the price that go to the exporting government, as a duty and as a share of revenue.
    passed_on : Array
        Share of that burden that the buyer bears; the vendor bears the rest.
    tax : Array
        Import tax of the buyer's country that he cannot deduct, on the price with the burden.

    Notes
    -----
    To keep its net revenue per chip the vendor would raise the price to ``price x (1 + duty) / (1 - share)``; the buyer
    bears ``passed_on`` of the rise.

    Examples
    --------
    >>> float(landed_cost(27_000.0, 0.25, 0.0, 1.0))
    33750.0
    >>> round(float(landed_cost(12_000.0, 0.0, 0.15, 1.0)), 2)
    14117.65
    """
    whole = np.asarray(price) * (1.0 + np.asarray(duty)) / (1.0 - np.asarray(revenue_share))
    borne = np.asarray(price) + np.asarray(passed_on) * (whole - price)
    return borne * (1.0 + np.asarray(tax))
