"""How wide the intervals of serving predictions must be: from calibrate runs that are predicted while left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.study.validation.scores import COVERAGE, SIGMA_PER_MAD, Z80, huber_centre, shrunk, weighted_quantile

Floats = NDArray[np.float64]
FAMILY_RUNS = 5.0  # a width counts as if five more runs had said that of all families, or of all measures
QUEUED = "ttft_loaded"  # mostly queue and scheduler: a width of its own
LEVEL_RUNS = 2.0  # runs that tell the level of a family as well as its kin does
TERMS = 0.05  # standard deviation for terms that were chosen with the calibrate rows in view


@dataclass(frozen=True, slots=True)
class Residual:
    """A calibrate row at speed factors of one.

    Attributes
    ----------
    error : float
        Logarithm of predicted over measured speed.
    spread : float
        Standard deviation that the inputs of the row explain, of the same logarithm.
    run, family, group, measure : str
        What it belongs to; ``group`` shares a speed factor, "" where none applies.
    """

    error: float
    spread: float
    weight: float
    run: str
    family: str
    group: str
    measure: str


def left_out_errors(
    rows: Sequence[Residual], strength: float, family_strength: float, scale: float
) -> Floats:
    """Errors of rows with the speed factors that the other runs give them (rows,)."""
    errors = np.array([row.error for row in rows])
    weights = np.array([row.weight for row in rows])

    def centre(members: NDArray[np.bool_], common: float, pull: float) -> float:
        if not members.any():
            return common
        found = huber_centre(errors[members], weights[members], scale)
        return shrunk(found, float(weights[members].sum()), common, pull)

    found = []
    for row in rows:
        factor = 0.0
        if row.group:
            fitted = [other.group != "" and other.run != row.run for other in rows]
            family = np.array([a and o.family == row.family for a, o in zip(fitted, rows, strict=True)])
            group = np.array([a and o.group == row.group for a, o in zip(fitted, rows, strict=True)])
            factor = centre(group, centre(family, 0.0, family_strength), strength)
        found.append(row.error - factor)
    return np.array(found)


def widths(rows: Sequence[Residual], errors: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Standard deviation to add by what is measured, and factors on it by family.

    Notes
    -----
    The width of a measure is such that four fifths of the weight lie inside the 80 % interval of a normal distribution. It
    is pulled to that of all measures (but ``QUEUED``) as if ``FAMILY_RUNS`` more runs had said so, and ``TERMS`` is added
    in squares. A family's factor is found alike and pulled to one; a family cannot narrow the interval, since terms were
    chosen with its rows in view. Added in squares to it: how far the level of a family is known from its runs n, when
    families differ by tau, tau sqrt(k / (n + k)) for k = ``LEVEL_RUNS``.
    """
    spreads = np.array([row.spread for row in rows])
    weights = np.array([row.weight for row in rows])
    measures = np.array([row.measure for row in rows])
    families = np.array([row.family for row in rows])

    def width(of: NDArray[np.bool_], unit: Floats | float, top: float) -> float:
        return _solved(lambda m: _covering(errors[of], np.hypot(spreads[of], m * unit), weights[of]), top)

    direct = measures != QUEUED
    common = width(direct, 1.0, 2.0) if direct.any() else TERMS
    base = {}
    for name in sorted(set(measures)):
        of = measures == name
        own = width(of, 1.0, 2.0)
        if name != QUEUED:
            own = float(np.exp(shrunk(np.log(own), float(weights[of].sum()), np.log(common), FAMILY_RUNS)))
        base[str(name)] = float(np.hypot(own, TERMS))
    each = np.array([base[name] for name in measures])
    direct_base = float(np.average(each[direct], weights=weights[direct]))
    levels = [np.average([r.error for r in rows if r.family == name]) for name in sorted(set(families))]
    between = SIGMA_PER_MAD * float(np.median(np.abs(np.array(levels) - np.median(levels))))
    factors = {}
    for name in sorted(set(families)):
        of = families == name
        runs = float(weights[of].sum())
        own = max(float(np.exp(shrunk(np.log(width(of, each[of], 4.0)), runs, 0.0, FAMILY_RUNS))), 1.0)
        level = between * np.sqrt(LEVEL_RUNS / (runs + LEVEL_RUNS))
        factors[str(name)] = float(np.hypot(own, level / direct_base))
    return base, factors


def _covering(errors: Floats, widths_: Floats, weights: Floats) -> float:
    """80th percentile of the errors in units of their width."""
    return weighted_quantile(np.abs(errors) / widths_, weights, COVERAGE)


def _solved(score: Callable[[float], float], top: float = 2.0) -> float:
    """Smallest width at which the score falls to that of a normal distribution; at least a hundredth."""
    low, high = 0.01, top
    if score(low) <= Z80:
        return low
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > Z80 else (low, middle)
    return high
