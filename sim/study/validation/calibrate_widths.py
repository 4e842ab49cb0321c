"""How wide the intervals of serving predictions must be: from calibrate runs that are predicted while left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from sim.study.validation.scores import COVERAGE, Z80, huber_centre, shrunk, weighted_quantile

Floats = NDArray[np.float64]
FAMILY_RUNS = 5.0  # a width counts as if five more runs had said that of all families, or of all measures
QUEUED = "ttft_loaded"  # mostly queue and scheduler: a width of its own
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
    run, family, group, measure, engine, model : str
        What it belongs to; ``group`` shares a speed factor, "" where none applies.
    """

    error: float
    spread: float
    weight: float
    run: str
    family: str
    group: str
    measure: str
    engine: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Levels:
    """How far engines differ on a chip family, each from what all others say.

    Attributes
    ----------
    spread : float
        Standard deviation between engines on a family, of the logarithm of speed.
    runs_alike : float
        Runs that tell the level of one as well as all others do.
    """

    spread: float
    runs_alike: float


def left_out_errors(
    rows: Sequence[Residual], strength: float, family_strength: float, scale: float, *, engines: bool = False
) -> Floats:
    """Errors of rows with the speed factors that the other runs give them (rows,); with ``engines``, those that the other
    engines and families give them."""
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
            fitted = [other.group != "" and _apart(other, row, engines) for other in rows]
            family = np.array([a and o.family == row.family for a, o in zip(fitted, rows, strict=True)])
            group = np.array([a and o.group == row.group for a, o in zip(fitted, rows, strict=True)])
            factor = centre(group, centre(family, 0.0, family_strength), strength)
        found.append(row.error - factor)
    return np.array(found)


def _apart(other: Residual, row: Residual, engines: bool) -> bool:
    if engines:
        return (other.engine, other.family) != (row.engine, row.family)
    return other.run != row.run


def engine_levels(rows: Sequence[Residual], errors: Floats) -> Levels:
    """Spread of the levels of engines on chip families, from rows whose whole group was left out.

    Parameters
    ----------
    errors : ndarray of float, shape (rows,)
        Of :func:`left_out_errors` with ``engines``.

    Notes
    -----
    Random effects by moments. With m_g the weighted mean of group g, n_g its weight and s^2 the pooled variance within
    groups, tau^2 = mean(m_g^2 - s^2 / n_g): about zero, not about the mean of the groups, since a new engine has no other
    groups to be centred on. As tau rests on G groups, it is widened to the 90th percentile of Student's t with G degrees of
    freedom over that of the normal distribution. A group of n runs is known to tau sqrt(k / (n + k)) for k = s^2 / tau^2.
    """
    members: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        if row.measure != QUEUED:
            members.setdefault(f"{row.engine}/{row.family}", []).append(n)
    weights = np.array([row.weight for row in rows])
    runs = {name: float(weights[of].sum()) for name, of in members.items()}
    means = {name: float(np.average(errors[of], weights=weights[of])) for name, of in members.items()}
    inside = sum(
        float(np.sum(weights[of] * np.square(errors[of] - means[name]))) for name, of in members.items()
    )
    within = inside / max(sum(runs.values()) - len(members), 1.0)
    found = [means[name] ** 2 - within / max(runs[name], 1.0) for name in members]
    between = max(float(np.mean(found)), 0.25 * within)
    tail = float(student_t.ppf(0.9, len(members))) / Z80
    return Levels(float(np.sqrt(between)) * tail, within / between)


def runs_by_level(rows: Sequence[Residual]) -> dict[str, float]:
    """Runs by "engine/family/model", rows of one run counting as one."""
    found: dict[str, float] = {}
    for row in rows:
        if row.measure != QUEUED:
            name = f"{row.engine}/{row.family}/{row.model}"
            found[name] = found.get(name, 0.0) + row.weight
    return found


def widths(rows: Sequence[Residual], errors: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Standard deviation to add by what is measured, and factors on it by family.

    Notes
    -----
    The width of a measure is such that four fifths of the weight lie inside the 80 % interval of a normal distribution. It
    is pulled to that of all measures (but ``QUEUED``) as if ``FAMILY_RUNS`` more runs had said so, and ``TERMS`` is added
    in squares. A family's factor is found alike and pulled to one; a family cannot narrow the interval, since terms were
    chosen with its rows in view.
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
    factors = {}
    for name in sorted(set(families)):
        of = families == name
        runs = float(weights[of].sum())
        own = max(float(np.exp(shrunk(np.log(width(of, each[of], 4.0)), runs, 0.0, FAMILY_RUNS))), 1.0)
        factors[str(name)] = own
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
