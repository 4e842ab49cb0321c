"""How many chips of one kind do the work of another: inverse of throughput as a function of the count."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def equal_count(target: Vector, counts: Vector, throughput: Vector) -> Vector:
    """Count at which the throughput reaches a target, draw by draw [chip].

    Parameters
    ----------
    target : (draws,) array
        Work per time to be matched.
    counts : (counts,) array, ascending
        Chips at which the throughput is known.
    throughput : (counts, draws) array
        Same unit as ``target``. Where more chips happen to give less (they do not divide well), the smaller cluster's
        value holds: nobody has to use them all.

    Returns
    -------
    (draws,) array
        Not rounded. Beyond the grid the slope of its last interval is carried on, below it that of the first one that
        rises; infinite where the throughput is zero or no longer grows, and zero for a target of zero.

    Notes
    -----
    Linear in log(count) and log(throughput): exact where throughput is a power of the count.

    Examples
    --------
    >>> equal_count(np.array([30.0]), np.array([1.0, 2.0, 4.0]), np.array([[10.0], [20.0], [40.0]])).round(6).tolist()
    [3.0]
    """
    best = np.maximum.accumulate(throughput, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, wanted = np.log(counts), np.log(best), np.log(np.broadcast_to(target, best.shape[1:]))
        left = np.clip((y <= wanted).sum(axis=0) - 1, 0, len(counts) - 2)
        below = wanted < y[0]
        # The first count may do as much as the next ones; what fewer chips do shows where it first falls.
        slope = np.where(below, np.argmax(np.diff(y, axis=0) > 0, axis=0), left)
        draw = np.arange(best.shape[1])
        low, high = y[slope, draw], y[slope + 1, draw]
        share = (wanted - y[left, draw]) / (high - low)
        found = np.exp(x[left] + share * (x[slope + 1] - x[slope]))
        found = np.where(np.isfinite(low) & (high > low), found, np.inf)
        # A throughput that never grows: proportional below what it is.
        found = np.where(below & ~(high > low), counts[0] * np.exp(wanted - y[0]), found)
    return np.where(np.asarray(target) <= 0, 0.0, found)


def whole_units(count: float, unit: int) -> int | None:
    """Smallest number of chips that can be bought and is not below ``count``; None where no number is enough.

    Examples
    --------
    >>> whole_units(9_905.2, 8)
    9912
    """
    return int(np.ceil(count / unit - 1e-9)) * unit if np.isfinite(count) else None


def count_grid(
    centre: float, unit: int, also: Iterable[int] = (), step: float = 1.2, span: float = 3.0
) -> Vector:
    """Counts in whole units from ``centre / span`` to ``centre x span``, without repeats.

    Parameters
    ----------
    also : iterable of int
        Counts that the question names: looked at, too, where they lie between the others.

    Notes
    -----
    They are rungs of one ladder that starts at a unit and grows by ``step``: two questions whose centres differ a little
    look at the same counts, so that their answers differ by what was asked and not by where the rungs fell.

    Examples
    --------
    >>> count_grid(1000.0, 8, step=2.0).tolist()
    [256.0, 512.0, 1024.0, 2048.0, 4096.0]
    """
    low, high = (np.log(max(centre * ratio / unit, 1.0)) / np.log(step) for ratio in (1 / span, span))
    rungs = step ** np.arange(np.floor(low), np.ceil(high) + 1)
    counts = np.round(rungs) * unit
    named = [float(count) for count in also if counts[0] <= count <= counts[-1]]
    return np.unique([*counts, *named])
