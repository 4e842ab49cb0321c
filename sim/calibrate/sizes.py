"""What the size of a product or of a sequence does to the rate: fits of the curves that training uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.calibrate.fit import BOUNDS, LEAST_ROWS, robust_fit
from sim.calibrate.samples import Sample
from sim.physics.chip import Chip, KernelCurve, kernel_time

Vector = NDArray[np.float64]
HALVES = {"gemm": ("half_width", "half_depth"), "attention_prefill": ("half_length",)}
SIXTEEN_BIT = (
    "bf16",
    "fp16",
)  # products in fewer bits also turn their inputs into that format, which looks narrow
HALF = (0.1, 20_000.0)


@dataclass(frozen=True, slots=True)
class SizeFit:
    """Rate of large kernels and the sizes at which half of it is reached.

    Attributes
    ----------
    values : mapping of str to float
        ``wide`` [1] and the halves of the family [1 or token], as in kernel files.
    rows, median, p90 : int, float, float
        Rows behind it; quantiles of the absolute relative error.
    flat_median, flat_p90 : float
        The same of a curve without halves, fitted to the same rows.
    """

    family: str
    precision: str
    software: str
    values: dict[str, float]
    rows: int
    median: float
    p90: float
    flat_median: float
    flat_p90: float


def fit_sizes(samples: Iterable[Sample], chip: Chip) -> list[SizeFit]:
    """Size fits of one chip, each software alone.

    Notes
    -----
    Products: (F + 2 n M K + 2 k M N)/(a P), see :meth:`sim.physics.chip.KernelCurve.narrow_flop`. Attention core over
    sequences of s tokens: F (1 + h/s)/(a P). Both against memory traffic, plus a fixed time.
    """
    groups: dict[tuple[str, str, str], list[Sample]] = {}
    for each in samples:
        plain = each.family != "gemm" or each.precision in SIXTEEN_BIT
        if each.family in HALVES and plain:
            groups.setdefault((each.family, each.precision, each.software), []).append(each)
    return [_fit(members, chip) for members in groups.values() if len(members) >= 4 * LEAST_ROWS]


def _fit(members: Sequence[Sample], chip: Chip) -> SizeFit:
    first = members[0]
    halves = HALVES[first.family]
    seconds = np.array([each.seconds for each in members])
    starts = [(0.6, 0.8, 0.5 * float(seconds.min()), *([size] * len(halves))) for size in (30.0, 600.0)]
    bounds = np.array([BOUNDS["compute"], BOUNDS["bandwidth"], BOUNDS["overhead"], *([HALF] * len(halves))])

    def predicted(x: Vector) -> Vector:
        return _times(members, chip, KernelCurve(x[0], x[1], x[2]), dict(zip(halves, x[3:], strict=True)))

    found = robust_fit(predicted, seconds, starts, bounds)

    def predicted_flat(x: Vector) -> Vector:
        return predicted(np.concatenate([x, np.zeros(len(halves))]))

    flat = robust_fit(predicted_flat, seconds, [each[:3] for each in starts], bounds[:3])
    errors, plain = (np.abs(times / seconds - 1.0) for times in (predicted(found), predicted_flat(flat)))
    values = {"wide": float(found[0]), **{name: float(x) for name, x in zip(halves, found[3:], strict=True)}}
    return SizeFit(
        first.family, first.precision, first.software, values, len(members),
        *(float(np.quantile(each, share)) for each in (errors, plain) for share in (0.5, 0.9)),
    )  # fmt: skip


def _times(members: Sequence[Sample], chip: Chip, curve: KernelCurve, halves: dict[str, float]) -> Vector:
    flop, moved, inputs, outputs, length = (
        np.array([getattr(each, name) for each in members])
        for name in ("flop", "moved", "inputs", "outputs", "length")
    )
    sized = replace(curve, **halves)
    if "half_length" in halves:
        work = flop * np.asarray(curve.compute / sized.at_length(length))
    else:
        work = flop + sized.narrow_flop(inputs, outputs)
    peak = chip.matrix_peak[members[0].precision]
    return np.asarray(kernel_time(work, moved, peak, chip.memory_bandwidth, curve))
