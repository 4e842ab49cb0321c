"""Kernel curves from measured kernels: robust fits, their errors, and ranges from what the rows imply one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sim.calibrate.samples import BYTES, KERNEL_FAMILIES, Sample
from sim.physics.chip import Chip, KernelCurve, kernel_time

Vector = NDArray[np.float64]

OUTLIER = 0.1  # rows farther off than this pull with constant force
BOUNDS = {
    "compute": (0.003, 0.99),
    "bandwidth": (0.003, 0.99),
    "overhead": (1e-7, 5e-3),
    "half_rows": (0.5, 2000.0),
}
NEEDED_ROWS = 2  # rows that a parameter must rule before the table is said to show it
RULES = 1.2  # a term of the roofline rules a row when it is this many times larger than the other
LARGE = 2.0  # ... and when it is this many times the fixed time
LEAST_ROWS = 5  # fewer are not fitted
SHAPES = 6  # a model runs about this many different products per layer: a range is that of their mean
DRAWS = 2000


def parameter(curve: KernelCurve, name: str) -> float:
    """A parameter of a curve by the name it has in kernel files: compute, bandwidth, overhead, half_rows."""
    return float(np.asarray(getattr(curve, "overhead_s" if name == "overhead" else name)))


def at_bound(curve: KernelCurve, name: str) -> bool:
    """Whether a parameter ended where the search ends: the formula does not hold for these rows."""
    low, high = BOUNDS[name]
    return not low * 1.01 < parameter(curve, name) < high * 0.999


@dataclass(frozen=True, slots=True)
class Fit:
    """A curve and how well it holds.

    Attributes
    ----------
    software : str
        Library and format; "" for all rows together.
    curve : KernelCurve
        The parameters [1, 1, s, rows].
    ranges : mapping of str to (float, float)
        5th and 95th percentile of the parameters that the table shows: compute, bandwidth, overhead, half_rows.
        What is missing here is not shown by the table.
    rows : int
        Rows behind it.
    median, p90 : float
        Of the absolute relative error.
    """

    chip: str
    family: str
    precision: str
    software: str
    curve: KernelCurve
    ranges: Mapping[str, tuple[float, float]]
    rows: int
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples as columns, with the peaks of their chip."""

    flop: Vector
    moved: Vector
    rows: Vector
    launches: Vector
    seconds: Vector
    shape: NDArray[np.str_]
    peak: float
    memory_bandwidth: float
    grouped: bool = field(default=False)

    def predicted(self, curve: KernelCurve) -> Vector:
        """Times as the simulator gives them [s]."""
        rows = self.rows if self.grouped else None
        time = kernel_time(
            self.flop, self.moved, self.peak, self.memory_bandwidth, curve, rows, self.launches
        )
        return np.asarray(time)

    def errors(self, curve: KernelCurve) -> Vector:
        """Predicted over measured, less one."""
        return self.predicted(curve) / self.seconds - 1.0


def columns(samples: Sequence[Sample], chip: Chip) -> Rows:
    """Samples of one chip, family and precision as columns."""
    first = samples[0]
    numbers = {
        name: np.array([getattr(each, name) for each in samples], dtype=float)
        for name in ("flop", "moved", "rows", "launches", "seconds")
    }
    return Rows(
        **numbers,
        shape=np.array([each.shape for each in samples]),
        peak=float(np.asarray(chip.matrix_peak[first.precision])),
        memory_bandwidth=float(np.asarray(chip.memory_bandwidth)),
        grouped=first.family == "grouped_gemm",
    )


def robust_fit(
    predicted: Callable[[Vector], Vector], seconds: Vector, starts: Iterable[Sequence[float]], bounds: Vector
) -> Vector:
    """Parameters with the least soft-L1 error of log time, the best of several starts.

    Parameters
    ----------
    predicted : callable
        Times [s] from parameters.
    bounds : array of shape (parameters, 2)
        Lowest and highest value; all are positive and are searched in their logarithm.
    """
    low, high = np.log(bounds[:, 0]), np.log(bounds[:, 1])

    def residuals(logs: Vector) -> Vector:
        return np.log(predicted(np.exp(logs)) / seconds)

    found = [
        least_squares(
            residuals, np.clip(np.log(start), low + 1e-6, high - 1e-6), bounds=(low, high), loss="soft_l1",
            f_scale=OUTLIER, x_scale=0.3,
        )
        for start in starts
    ]  # fmt: skip
    return np.exp(min(found, key=lambda each: each.cost).x)


def fit_curve(rows: Rows) -> KernelCurve:
    """The curve of :func:`sim.physics.chip.kernel_time` that fits the rows best."""
    names = [name for name in BOUNDS if name != "half_rows" or rows.grouped]
    shortest = float(np.min(rows.seconds / rows.launches))
    starts = product((0.2, 0.7), (0.2, 0.8), (0.5 * shortest,), *([(20.0, 100.0)] if rows.grouped else []))
    bounds = np.array([BOUNDS[name] for name in names])
    return KernelCurve(*robust_fit(lambda x: rows.predicted(KernelCurve(*x)), rows.seconds, starts, bounds))


def fit_samples(samples: Sequence[Sample], chip: Chip, software: str = "") -> Fit:
    """Fit of samples of one chip, family and precision."""
    rows, first = columns(samples, chip), samples[0]
    curve = fit_curve(rows)
    errors = np.abs(rows.errors(curve))
    return Fit(
        first.chip, first.family, first.precision, software, curve, shown_ranges(rows, curve), len(samples),
        float(np.median(errors)), float(np.quantile(errors, 0.9)),
    )  # fmt: skip


def shown_ranges(rows: Rows, curve: KernelCurve) -> dict[str, tuple[float, float]]:
    """5th and 95th percentile of every parameter that the rows show.

    Notes
    -----
    A row that one term rules implies a value of its parameter: a = F / (P g (t - n t0)), and so on. The range is
    that of the mean over six random shapes, about as many as one layer of a model runs: wider than the error of
    the fit, narrower than the spread of single kernels. Shares are weighted by work, as a model weights them.
    """
    share = rows.rows / (rows.rows + curve.half_rows) if rows.grouped else np.ones_like(rows.rows)
    compute, memory = rows.flop / (rows.peak * share), rows.moved / rows.memory_bandwidth
    at_compute, at_memory = compute / curve.compute, memory / curve.bandwidth
    roof, fixed = np.maximum(at_compute, at_memory), rows.launches * curve.overhead_s
    large, busy = roof > LARGE * fixed, np.maximum(rows.seconds - fixed, 1e-12)
    by_compute, by_memory = large & (at_compute > RULES * at_memory), large & (at_memory > RULES * at_compute)
    rise = rows.rows * (np.asarray(curve.compute) * rows.peak * busy / np.maximum(rows.flop, 1.0) - 1.0)
    early = by_compute & (rise > 0) & (rows.rows < 4 * np.asarray(curve.half_rows))
    picked = PickedShapes(rows.shape)
    ranges = {
        "compute": picked.range(by_compute, compute, busy),
        "bandwidth": picked.range(by_memory, memory, busy),
        "overhead": picked.range((roof < fixed) & (rows.seconds > roof), rows.seconds - roof, rows.launches),
        "half_rows": picked.range(early, rise) if rows.grouped else None,
    }
    found = {}
    for name, ends in ranges.items():
        if ends is not None and not at_bound(curve, name):
            middle, top = parameter(curve, name), 0.999 if name in ("compute", "bandwidth") else np.inf
            found[name] = (min(ends[0], middle), max(min(ends[1], top), middle))
    return found


@dataclass(frozen=True, slots=True)
class PickedShapes:
    """Random sets of shapes, one random row of each."""

    shape: NDArray[np.str_]

    def range(
        self, use: NDArray[np.bool_], top: Vector, bottom: Vector | None = None
    ) -> tuple[float, float] | None:
        """5th and 95th percentile of sum(top) / sum(bottom) over the sets; None when too few rows are in use."""
        if np.count_nonzero(use) < NEEDED_ROWS:
            return None
        random = np.random.default_rng(0)  # the same table gives the same file
        names, which = np.unique(self.shape[use], return_inverse=True)
        order, counts = np.argsort(which, kind="stable"), np.bincount(which)
        chosen = random.integers(len(names), size=(DRAWS, SHAPES))
        within = np.floor(random.random(chosen.shape) * counts[chosen]).astype(int)
        rows = np.flatnonzero(use)[order[(np.cumsum(counts) - counts)[chosen] + within]]
        below = np.ones_like(top) if bottom is None else bottom
        low, high = np.quantile(top[rows].sum(axis=1) / below[rows].sum(axis=1), [0.05, 0.95])
        return float(low), float(high)


def fit_all(samples: Sequence[Sample], chip: Chip) -> list[Fit]:
    """Fits of all samples of one chip: each software alone where there are several, then all together.

    The range of a joint fit also spans the values of its parts: a model runs one software, not their mean.
    """
    groups: dict[tuple[str, str], list[Sample]] = {}
    for each in samples:
        groups.setdefault((each.family, each.precision), []).append(each)
    fits: list[Fit] = []
    for members in groups.values():
        by_software: dict[str, list[Sample]] = {}
        for each in members:
            by_software.setdefault(each.software, []).append(each)
        alone = {name: each for name, each in by_software.items() if len(each) >= LEAST_ROWS}
        several = len(by_software) > 1
        parts = [fit_samples(each, chip, name) for name, each in alone.items()] if several else []
        fits += parts
        if len(members) >= LEAST_ROWS:
            whole = fit_samples(members, chip, "" if several else members[0].software)
            fits.append(replace(whole, ranges=_spanning(whole, parts)))
    return sorted(fits, key=lambda fit: (KERNEL_FAMILIES.index(fit.family), list(BYTES).index(fit.precision)))


def _spanning(whole: Fit, parts: Sequence[Fit]) -> dict[str, tuple[float, float]]:
    spans = {}
    for name, (low, high) in whole.ranges.items():
        seen = [part.ranges[name] for part in parts if name in part.ranges]
        spans[name] = (min([low, *(each[0] for each in seen)]), max([high, *(each[1] for each in seen)]))
    return spans
