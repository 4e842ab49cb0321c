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
    """Blocks that add up to the median of their sum: the mean share of each block times that median.

    All NaN where the median is unknown or infinite.
    """
    columns = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in blocks.items()}
    whole = np.asarray(sum(columns.values()))
    middle = interval(whole).p50
    usable = np.isfinite(whole) & (whole > 0)
    if not np.isfinite(middle) or not usable.any():
        return dict.fromkeys(columns, float("nan"))

    def share(column: NDArray[np.float64]) -> float:
        return float(np.mean(np.broadcast_to(column, whole.shape)[usable] / whole[usable]))

    return {name: middle * share(column) for name, column in columns.items()}


def most_common(values: NDArray[np.int64]) -> int:
    """The entry that occurs most often."""
    return int(Counter(values.ravel().tolist()).most_common(1)[0][0])


def typical_parts(parts: Mapping[str, Any], share: float = 0.2) -> dict[str, float]:
    """Parts of a gap where it is as large as it mostly is: their mean over the draws whose gap lies nearest its median.

    Parameters
    ----------
    parts : mapping of str to (draws,) array
        They add up to the gap, draw by draw.
    share : float
        Share of the draws that count.

    Examples
    --------
    Of five draws the one with the median gap of 3 counts.

    >>> typical_parts({"x": np.array([1.0, 1.0, 1.0, 1.0, 9.0]), "y": np.array([0.0, 1.0, 2.0, 3.0, 9.0])})
    {'x': 1.0, 'y': 2.0}
    """
    columns = {name: np.atleast_1d(np.asarray(value, dtype=float)).ravel() for name, value in parts.items()}
    whole = np.asarray(sum(columns.values()))
    finite = np.isfinite(whole)
    if not finite.any():
        return dict.fromkeys(columns, float("nan"))
    distance = np.where(finite, np.abs(whole - np.median(whole[finite])), np.inf)
    near = np.argsort(distance, kind="stable")[: max(1, round(share * int(finite.sum())))]
    return {
        name: float(np.mean(np.broadcast_to(column, whole.shape)[near])) for name, column in columns.items()
    }


def finer(parts: Mapping[str, float], name: str, within: Mapping[str, float]) -> dict[str, float]:
    """Parts with one of them taken apart; as they are where there is nothing within it.

    Examples
    --------
    >>> finer({"throughput": 3.0, "price": 1.0}, "throughput", {"peak": 5.0, "network": -2.0})
    {'peak': 5.0, 'network': -2.0, 'price': 1.0}
    """
    if not within:
        return dict(parts)
    found: dict[str, float] = {}
    for key, value in parts.items():
        for cause, part in within.items() if key == name else ((key, value),):
            found[cause] = found.get(cause, 0.0) + part
    return found


def gap_steps(
    ends: tuple[tuple[str, float], tuple[str, float]], causes: Mapping[str, float]
) -> list[tuple[str, float]]:
    """Waterfall from one median to another: the causes, largest first, then what is left.

    Empty where an end is unknown or infinite: there is no way to it.

    Parameters
    ----------
    ends : ((name, value), (name, value))
        Medians over draws on the two sides.
    causes : mapping
        Parts of a typical gap. The difference of two medians is not the median difference, so a last step carries what
        is left.
    """
    if not np.isfinite([ends[0][1], ends[1][1], *causes.values()]).all():
        return []
    steps = sorted(
        ((name, part) for name, part in causes.items() if part != 0.0), key=lambda step: -abs(step[1])
    )
    rest = ends[1][1] - ends[0][1] - sum(causes.values())
    return [ends[0], *steps, ("spread of inputs", rest), ends[1]]


def grouped(
    a: Mapping[str, float], b: Mapping[str, float], least: float = 0.01
) -> tuple[dict[str, float], dict[str, float]]:
    """Two breakdowns with the terms that are small on both sides put together as "other".

    Examples
    --------
    >>> grouped({"x": 99.5, "y": 0.5}, {"x": 99.8, "y": 0.2})
    ({'x': 99.5, 'other': 0.5}, {'x': 99.8, 'other': 0.2})
    """
    names = [name for name in {**a, **b} if max(_share(name, a), _share(name, b)) >= least]
    sides = []
    for side in (a, b):
        kept = {name: side.get(name, 0.0) for name in names}
        sides.append({**kept, "other": sum(value for name, value in side.items() if name not in kept)})
    return sides[0], sides[1]


def _share(name: str, side: Mapping[str, float]) -> float:
    return side.get(name, 0.0) / sum(side.values())
