"""How well the ends of an interval are known: the error of a percentile, and how many draws make it small enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from sim.quantity import Array
from sim.study.summary.statistics import interval

Vector = NDArray[np.float64]
BLOCKS = 8  # into which the draws are cut: seven degrees of freedom, and blocks that are still long
LEAST = 15  # draws of a block, below which its 5th percentile says nothing
LEVELS = (0.05, 0.50, 0.95)


@dataclass(frozen=True, slots=True)
class Reached:
    """Percentiles of an answer after some draws, and how well they are known.

    Attributes
    ----------
    values, errors : tuple of three floats
        5th, 50th and 95th percentile, and the half-width of their 90 % confidence intervals, in the unit of the answer.
    """

    draws: int
    values: tuple[float, float, float]
    errors: tuple[float, float, float]

    @property
    def relative(self) -> float:
        """Larger error of the two ends as a share of the median [1]; NaN where the draws are too few to tell."""
        worst = max(self.errors[0], self.errors[2]) if not np.isnan(self.errors).any() else float("nan")
        middle = abs(self.values[1])
        return worst / middle if middle > 0 else worst and float("inf")


@dataclass(frozen=True, slots=True)
class Stopping:
    """Why there are as many draws as there are.

    Attributes
    ----------
    asked : float or None
        Error of the ends to reach, as a share of the median [1]; None: the number of draws was given.
    first, most : int
        Draws to begin with and to end with at the latest.
    open : tuple of str
        Labels of the answers that had not reached it.
    """

    asked: float | None
    first: int
    most: int
    open: tuple[str, ...] = ()


def percentile_errors(values: Vector, levels: Sequence[float] = LEVELS) -> tuple[float, ...]:
    """Half-width of the 90 % confidence interval of percentiles, in the unit of ``values``.

    Parameters
    ----------
    values : (draws,) array
        In the order in which they were drawn. Draws without an answer (NaN) are left out.

    Returns
    -------
    tuple of float
        NaN where there are fewer than ``BLOCKS x LEAST`` draws; infinite where some blocks have an infinite percentile
        and others do not; 0 where all have.

    Notes
    -----
    Batch means: the draws are cut into ``BLOCKS`` consecutive blocks, and the error of a percentile is t s / sqrt(blocks)
    with the standard deviation s of the percentile between blocks. Exact in the limit for independent draws. Consecutive
    blocks of a scrambled Sobol sequence fill each other's gaps, so that all draws together are at least as good: the
    error errs on the safe side.

    References
    ----------
    Glynn and Iglehart, Math. Oper. Res. 15 (1990); for nets Owen, SIAM J. Numer. Anal. 34 (1997), 1884.
    """
    if len(values) < BLOCKS * LEAST:
        return tuple(float("nan") for _ in levels)
    found = np.array([_percentiles(block, levels) for block in np.array_split(values, BLOCKS)])
    factor = float(student.ppf(0.95, BLOCKS - 1)) / np.sqrt(BLOCKS)
    return tuple(_error(column, factor) for column in found.T)


def _percentiles(block: Vector, levels: Sequence[float]) -> list[float]:
    ordered = np.sort(block[~np.isnan(block)])
    if not len(ordered):
        return [float("nan")] * len(levels)
    if np.isfinite(ordered).all():
        return [float(x) for x in np.quantile(ordered, levels)]
    return [float(ordered[round(level * (len(ordered) - 1))]) for level in levels]


def _error(column: Vector, factor: float) -> float:
    known = column[~np.isnan(column)]
    if len(known) < len(column):
        return float("nan")
    endless = np.isinf(known)
    if endless.any():
        return 0.0 if endless.all() else float("inf")
    return float(factor * np.std(known, ddof=1))


def reached(values: Vector) -> Reached:
    """Percentiles of an answer and their errors."""
    found = interval(values)
    low, middle, high = percentile_errors(values)
    return Reached(len(values), (found.p05, found.p50, found.p95), (low, middle, high))


def ends_error(answers: Iterable[Array]) -> float:
    """How well the ends of some 90 % intervals are known: the largest error, as a share of the median [1].

    Parameters
    ----------
    answers : iterable of (draws,) array
        Headlines. Those that nobody can tell (all NaN) are left out.

    Returns
    -------
    float
        NaN where the draws are too few to tell; infinite where an end lies between numbers and no limit.

    Examples
    --------
    >>> ends_error([np.full(256, 3.0)])
    0.0
    """
    draws = [np.ravel(np.asarray(each, dtype=float)) for each in answers]
    found = [_relative(each) for each in draws if not np.isnan(each).all()]
    return max(found, default=float("nan"), key=lambda error: np.inf if np.isnan(error) else error)


def _relative(values: Vector) -> float:
    ends = reached(values)
    if max(ends.errors) == 0.0:  # certain, be it a number or no limit
        return 0.0
    return ends.relative if np.isfinite(ends.values[1]) else float("inf")


def course(values: Vector) -> tuple[Reached, ...]:
    """The same after 1/16, 1/8, ... and all of the draws: whether more of them would change anything."""
    counts = sorted({max(1, len(values) >> shift) for shift in range(5)})
    return tuple(reached(values[:count]) for count in counts)


def draws_needed(
    answers: Sequence[tuple[str, Callable[[int, int], Vector]]], precision: float, first: int, most: int
) -> tuple[int, Stopping]:
    """Draws after which the ends of every answer are known to ``precision``.

    Parameters
    ----------
    answers : sequence of (label, function)
        The function gives the answers of the draws from its first up to its second argument.
    precision : float
        Error of both ends as a share of the median [1].
    first, most : int
        Draws to begin with; they double, up to ``most``.

    Returns
    -------
    int, Stopping
        Draws, and which answers were still open when they came to ``most``.
    """
    found = {label: ask(0, first) for label, ask in answers}
    waiting = dict(answers)
    draws = first
    while True:
        waiting = {
            label: ask for label, ask in waiting.items() if not reached(found[label]).relative <= precision
        }
        if not waiting or draws >= most:
            return draws, Stopping(precision, first, most, tuple(waiting))
        further = min(2 * draws, most)
        for label, ask in waiting.items():
            found[label] = np.concatenate([found[label], ask(draws, further)])
        draws = further
