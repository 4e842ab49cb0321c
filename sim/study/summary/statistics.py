"""Quantiles and blocks: arrays over draws become the few numbers that are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.report.content import Interval

LEVELS = (0.05, 0.25, 0.50, 0.75, 0.95)


def interval(values: Any) -> Interval:
    """Quantiles over draws of an array or a plain number.

    Infinite draws are kept: a quantile that falls among them is infinite, and says so. Draws without an answer (NaN: neither
    side can do the work) are left out; all NaN gives NaN.

    Examples
    --------
    >>> interval(3.0).p95
    3.0
    """
    ordered = np.sort(np.atleast_1d(np.asarray(values, dtype=float)).ravel())
    ordered = ordered[~np.isnan(ordered)] if not np.isnan(ordered).all() else np.array([np.nan])
    if np.isfinite(ordered).all() or np.isnan(ordered).all():
        return Interval(*(float(q) for q in np.quantile(ordered, LEVELS)))
    # Nearest ranks: interpolating towards an infinite neighbour would give neither number.
    ranks = np.rint(np.array(LEVELS) * (len(ordered) - 1)).astype(int)
    return Interval(*(float(q) for q in ordered[ranks]))


def median_blocks(blocks: Mapping[str, Any]) -> dict[str, float]:
    """Blocks that add up to the median of their sum: the mean share of each block times that median."""
    columns = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in blocks.items()}
    whole = np.asarray(sum(columns.values()))
    usable = np.isfinite(whole) & (whole > 0)
    if not usable.any():
        return dict.fromkeys(columns, float("nan"))
    middle = float(np.median(whole[usable]))

    def share(column: NDArray[np.float64]) -> float:
        return float(np.mean(np.broadcast_to(column, whole.shape)[usable] / whole[usable]))

    return {name: middle * share(column) for name, column in columns.items()}


def most_common(values: NDArray[np.int64]) -> int:
    """The entry that occurs most often."""
    return int(Counter(values.ravel().tolist()).most_common(1)[0][0])
