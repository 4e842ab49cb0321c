"""The largest value at which a promise is still kept, on arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float
SLACK = 1.0  # halvings that the search may take beyond bisection
BENT = 0.2  # how far an estimate is moved towards the middle, over the square of the share of the range that is left


def largest_keeping(
    excess: Callable[[NDArray[np.float64]], Array], low: Array, high: Array, tolerance: float
) -> NDArray[np.float64]:
    """Largest x between ``low`` and ``high`` with ``excess(x) <= 0``.

    Parameters
    ----------
    excess : callable
        Does not fall with x; takes and gives arrays of the common shape, each element on its own.
    tolerance : float
        Largest error of x, which is never above the true value.

    Returns
    -------
    ndarray
        ``high`` where even that keeps it, NaN where not even ``low`` does. An element does not depend on the others.

    Notes
    -----
    Interpolate, truncate, project: superlinear on smooth functions, and at most one step more than bisection on any
    (I. F. D. Oliveira and R. H. C. Takahashi, ACM Trans. Math. Softw. 47, 2020).

    Examples
    --------
    >>> largest_keeping(lambda x: x * x - np.array([2.0, 9.0, -1.0]), 0.0, 2.0, 1e-6).round(5)
    array([1.41421, 2.     ,     nan])
    """
    at_low, at_high = (np.asarray(excess(np.asarray(end, dtype=float))) for end in (low, high))
    shape = np.broadcast_shapes(np.shape(low), np.shape(high), at_low.shape, at_high.shape)
    low, high, below, above = (
        np.array(np.broadcast_to(x, shape), float) for x in (low, high, at_low, at_high)
    )
    inside = (below <= 0) & (above > 0)
    span = np.where(inside, high - low, 1.0)
    reach = tolerance / 2 * np.exp2(np.ceil(np.log2(np.maximum(span / tolerance, 1.0))) + SLACK)
    while np.any(wide := inside & (high - low > tolerance)):
        x = np.where(wide, _next(low, high, below, above, BENT / span, reach), low)
        value = np.asarray(excess(x))
        kept, missed = wide & (value <= 0), wide & ~(value <= 0)
        low, below = np.where(kept, x, low), np.where(kept, value, below)
        high, above = np.where(missed, x, high), np.where(missed, value, above)
        reach = reach / 2
    return np.where(below > 0, np.nan, np.where(inside, low, high))


def _next(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    below: NDArray[np.float64],
    above: NDArray[np.float64],
    bent: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Where to look next: the secant, moved towards the middle, and never further from it than ``reach`` allows."""
    half = (high - low) / 2
    middle = low + half
    with np.errstate(divide="ignore", invalid="ignore"):
        secant = (above * low - below * high) / (above - below)
    secant = np.where(np.isfinite(secant), secant, middle)
    towards = np.sign(middle - secant)
    moved = secant + towards * np.minimum(bent * np.square(2 * half), np.abs(middle - secant))
    allowed = np.maximum(reach - half, 0.0)
    return np.where(np.abs(moved - middle) <= allowed, moved, middle - towards * allowed)
