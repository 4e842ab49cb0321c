"""How long a checkpoint takes, and how often to write one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

from sim.training.campaign_plan import CampaignPlan

Array = NDArray[np.float64] | float


def checkpoint_time(state_bytes: Array, bandwidth_per_chip: Array, chips: Array) -> Array:
    """Time to write a checkpoint from all chips at once [s]: bytes over (chips times bandwidth)."""
    return state_bytes / (bandwidth_per_chip * chips)


def interval_young(checkpoint_s: Array, mtbf_s: Array) -> Array:
    """First-order best time between checkpoints [s]: sqrt(2 delta M).

    References
    ----------
    J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17 (1974).
    """
    return np.sqrt(2.0 * checkpoint_s * mtbf_s)


def interval_daly(checkpoint_s: Array, mtbf_s: Array) -> Array:
    """Exact best time between checkpoints for exponential failures [s].

    Notes
    -----
    Minimises (exp((tau + delta) / M) - 1) / tau, the expected time per unit of work (Daly's complete model),
    hence tau = M (1 + W(-exp(-1 - delta / M))) with Lambert's W. Tends to Young's formula for delta << M.

    References
    ----------
    J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22
    (2006).

    Examples
    --------
    >>> round(float(interval_daly(10.0, 10_000.0))), round(float(interval_young(10.0, 10_000.0)))
    (441, 447)
    """
    ratio = np.asarray(checkpoint_s, dtype=float) / mtbf_s
    found = mtbf_s * (1.0 + np.real(lambertw(np.asarray(-np.exp(-1.0 - ratio), dtype=float), 0)))
    # Below 1e-12 the two terms cancel and only the first order is left in double precision.
    return np.where(ratio < 1e-12, interval_young(checkpoint_s, mtbf_s), found)


def checkpoint_interval(plan: CampaignPlan, chips: Array) -> Array:
    """Training time between checkpoints with ``chips`` at work [s]: equal parts of the work.

    Notes
    -----
    A write in the background multiplies the expected time of every part by the same factor (:func:`sim.training.
    goodput.goodput`), so it does not move the best interval; but the next copy waits until the write is complete.
    """
    work_s = plan.work_s * (plan.chips / np.asarray(chips, dtype=float))
    rate = np.asarray(plan.failure_rate * np.asarray(chips, dtype=float))
    if plan.checkpoint_every_s is not None:
        wanted = np.maximum(plan.checkpoint_every_s, plan.write_s)
    else:
        best = interval_daly(plan.checkpoint_s, 1.0 / np.where(rate > 0, rate, 1.0))
        shortest = np.maximum(plan.shortest_interval_s, plan.write_s)
        wanted = np.where(rate > 0, np.maximum(best, shortest), np.inf)
    return work_s / np.ceil(work_s / np.minimum(wanted, work_s) - 1e-9)
