"""Latency and bandwidth share of a network tier from measured collectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.calibrate.fit import LARGE, LEAST_ROWS, PickedShapes, Vector, robust_fit
from sim.calibrate.samples import Transfer
from sim.physics.network import (
    Network,
    Tier,
    all_gather_time,
    all_reduce_time,
    all_to_all_time,
    reduce_scatter_time,
)

TIMES = {
    "all_reduce": all_reduce_time,
    "all_gather": all_gather_time,
    "reduce_scatter": reduce_scatter_time,
    "all_to_all": all_to_all_time,
}
RINGS = ("all_reduce", "all_gather", "reduce_scatter")  # what `latency` and `efficiency` of a tier stand for
LARGE_BUFFER = 64e6
BOUNDS = np.array([(1e-8, 1e-2), (0.01, 1.5)])  # switches that add up lift all-reduce above the ring


@dataclass(frozen=True, slots=True)
class TierFit:
    """What one library reaches on a tier.

    Attributes
    ----------
    operation : str
        all_reduce, ..., or "rings": the first three together.
    latency_s, fitted_efficiency : float
        Of one step between two chips [s]; share of the tier's one-way bandwidth [1], over all sizes.
    efficiency : float
        The share in large buffers alone, which is what tiers state [1].
    ranges : mapping of str to (float, float)
        5th and 95th percentile, by "latency" and "efficiency"; the latter spans both.
    median, p90 : float
        Absolute relative error of the fit over all sizes.
    """

    chip: str
    software: str
    operation: str
    latency_s: float
    fitted_efficiency: float
    efficiency: float
    ranges: dict[str, tuple[float, float]]
    rows: int
    median: float
    p90: float


def _times(transfers: Sequence[Transfer], bandwidth: float, latency: float, efficiency: float) -> Vector:
    network = Network((Tier("measured", np.inf, bandwidth, latency, efficiency, 1.0, 0.0),))
    payload, members = (
        np.array([getattr(each, name) for each in transfers]) for name in ("payload", "members")
    )
    operation = np.array([each.operation for each in transfers])
    found = np.zeros(len(transfers))
    for name, function in TIMES.items():
        use = operation == name
        found[use] = function(payload[use], members[use], 1.0, network)
    return found


def fit_tier(transfers: Sequence[Transfer], bandwidth: float, operation: str) -> TierFit:
    """Latency and efficiency that fit best, with the formulas of :mod:`sim.physics.network`.

    Parameters
    ----------
    bandwidth : float
        One way, per chip [byte/s].
    """
    seconds = np.array([each.seconds for each in transfers])
    starts = [(1e-6, 0.3), (1e-5, 0.8)]
    latency, efficiency = robust_fit(
        lambda x: _times(transfers, bandwidth, x[0], x[1]), seconds, starts, BOUNDS
    ).tolist()
    steps = _times(transfers, bandwidth, 1.0, 1.0) - _times(transfers, bandwidth, 0.0, 1.0)
    wire = _times(transfers, bandwidth, 0.0, 1.0)
    fixed, busy = steps * latency, wire / efficiency
    picked = PickedShapes(np.array([f"{each.operation} {each.members:g}" for each in transfers]))
    ends = {
        "latency": picked.range((fixed > LARGE * busy) & (seconds > busy), seconds - busy, steps),
        "efficiency": picked.range((busy > LARGE * fixed) & (seconds > fixed), wire, seconds - fixed),
    }
    large = (np.array([each.payload for each in transfers]) >= LARGE_BUFFER) & (seconds > fixed)
    share = float(np.sum(wire[large]) / np.sum((seconds - fixed)[large])) if np.any(large) else efficiency
    ranges = {}
    for name, found in ends.items():
        if found is not None:
            known = (latency,) if name == "latency" else (efficiency, share)
            ranges[name] = (min(*found, *known), max(*found, *known))
    errors = np.abs(_times(transfers, bandwidth, latency, efficiency) / seconds - 1.0)
    first = transfers[0]
    return TierFit(
        first.chip, first.software, operation, latency, efficiency, share, ranges, len(transfers),
        float(np.median(errors)), float(np.quantile(errors, 0.9)),
    )  # fmt: skip


def fit_tiers(transfers: Sequence[Transfer], bandwidth: float) -> list[TierFit]:
    """By library: every operation alone, then the rings together."""
    fits = []
    for software in dict.fromkeys(each.software for each in transfers):
        own = [each for each in transfers if each.software == software]
        present = [name for name in TIMES if any(each.operation == name for each in own)]
        for name in present:
            fits.append(fit_tier([each for each in own if each.operation == name], bandwidth, name))
        rings = [each for each in own if each.operation in RINGS]
        if len({each.operation for each in rings}) > 1:
            fits.append(fit_tier(rings, bandwidth, "rings"))
    return [each for each in fits if each.rows >= LEAST_ROWS]
