"""How well a run knows a percentile, and when it knows it well enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Column = NDArray[np.float64]
BATCHES = 20  # fewer make a wide interval, more make batches that know of each other
SMALLEST = 500  # values of a batch: five beyond its 99th percentile


@dataclass(frozen=True, slots=True)
class PercentileEstimate:
    """A percentile of a column that a run has measured.

    Attributes
    ----------
    value : float
        Over all values.
    half_width : float
        Of the interval that holds the true one with the stated confidence; inf with too few values.
    values : int
        How many there were.
    """

    value: float
    half_width: float
    values: int

    @property
    def relative(self) -> float:
        """Half-width over value [1]."""
        return self.half_width / self.value if self.value > 0 else float("inf")


def percentile_estimate(
    column: Column, percentile: float = 99.0, confidence: float = 0.95, settled: float = 0.1
) -> PercentileEstimate:
    """Percentile with its interval, from values in order of time that know of their neighbours.

    Parameters
    ----------
    column : ndarray (n,)
        In order of arrival; NaN is left out.
    settled : float
        First part that is left out, as the run has not settled [1].

    Notes
    -----
    Batch means: the column is cut into ``BATCHES`` stretches, and the percentile of each is one value; their mean has
    Student's t with as many degrees of freedom less one (A. M. Law, Simulation Modeling and Analysis, section 9.5).
    Values of one queue depend on each other, so an interval from order statistics would be too narrow.
    """
    values = column[np.isfinite(column)]
    values = values[int(settled * len(values)) :]
    if len(values) < BATCHES * SMALLEST:
        whole = float(np.percentile(values, percentile)) if len(values) else float("nan")
        return PercentileEstimate(whole, float("inf"), len(values))
    batches = np.array([np.percentile(part, percentile) for part in np.array_split(values, BATCHES)])
    spread = float(batches.std(ddof=1)) / sqrt(BATCHES)
    width = float(student.ppf((1 + confidence) / 2, BATCHES - 1)) * spread
    return PercentileEstimate(float(np.percentile(values, percentile)), width, len(values))


def precise_enough(
    target: float, percentile: float = 99.0, confidence: float = 0.95
) -> Callable[[Column], bool]:
    """Rule that ends a run when the half-width of a percentile is within ``target`` of its value [1].

    Raises
    ------
    ValueError
        When the target is not positive.
    """
    if not target > 0:
        raise ValueError(f"a precision of {target} cannot be reached; ask for more than 0")

    def enough(column: Column) -> bool:
        return percentile_estimate(column, percentile, confidence).relative <= target

    return enough
