"""Chips of B that use the energy of A: given its work and its time, standing idle where the work is done."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.study.answer import ServingAnswer, TrainingAnswer
from sim.study.parity import equal_count

Vector = NDArray[np.float64]


def equal_energy(answer: TrainingAnswer | ServingAnswer) -> Vector:
    """Chips of B whose energy is that of A, both with the work of A and for as long as A takes (draws,) [chip].

    Notes
    -----
    Fewer chips than do the same work are busy all the time and leave work undone: their count is the one that draws the
    power of A. More of them are done earlier (training) or have less to do each (serving) and draw idle power for the
    rest, so the count for the same energy lies above that for the same power. Where it is above the count for the same
    work, B does the work on less energy than A; where it is below, the energy of A is not enough for it.
    """
    if isinstance(answer, TrainingAnswer):
        return _trained(answer)
    return _served(answer)


def _trained(answer: TrainingAnswer) -> Vector:
    """Energy of B over its counts, up to the end of the run of A; the count at which it is that of A."""
    b = answer.curve
    wall_a, wall_b = np.asarray(answer.a.goodput.wall_s)[0], np.asarray(b.goodput.wall_s)
    idle_w = answer.counts[:, None] * b.cluster.power(0.0) * b.cluster.ownership.pue
    energy = b.power_w * np.minimum(wall_b, wall_a) + idle_w * np.maximum(wall_a - wall_b, 0.0)
    return equal_count(np.asarray(answer.a.goodput.energy_j)[0], answer.counts, energy)


def _served(answer: ServingAnswer) -> Vector:
    """Chips of B on the power of A, busy with as much of its tokens as they can serve."""
    a, b, work = answer.a, answer.b, answer.equal
    target = np.asarray(a.power_w, dtype=float)
    idle = np.asarray(b.cluster.power(0.0) * b.cluster.ownership.pue)
    busy = np.asarray(b.power_w / b.chips)
    all_busy = target / busy
    with np.errstate(invalid="ignore"):  # no count does the work: none is left to idle
        some_idle = (target - work * (busy - idle)) / idle
    return np.where(all_busy > work, some_idle, np.where(np.isnan(work), np.nan, all_busy))
