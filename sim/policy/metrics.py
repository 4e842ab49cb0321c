"""The figures that the rules test: total processing performance, performance density, bandwidths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.policy.rules.truth import Array

# Bit length of one operation: the width of the multiplier's input, not of the accumulator.
BITS = {
    "fp64": 64, "fp32": 32, "tf32": 19, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp6": 6, "fp4": 4, "int4": 4,
}  # fmt: skip
TERA = 1e12


def total_processing_performance(peaks: Mapping[str, Array]) -> Array:
    """TPP: the highest product of dense rate and bit length over the precisions of a package.

    Parameters
    ----------
    peaks : mapping of precision to Array
        Dense rate of all dies together, a multiply-accumulate counted as two operations [operations/s].

    Returns
    -------
    Array
        [tera-operations/s x bit]; NaN without any peak.

    Notes
    -----
    2 x MacTOPS x bit length, maximum over precisions, sum over the processing units of the circuit; never a rate with
    structured sparsity. TF32 is taken at the 19 bits that its multiplier sees, which no chip here turns into its maximum.

    References
    ----------
    15 CFR 774 supp. 1, technical notes to ECCN 3A090 (88 FR 73458).

    Examples
    --------
    >>> float(total_processing_performance({"bf16": 989.5e12, "fp8": 1979e12}))
    15832.0
    """
    products = [np.asarray(rate) / TERA * BITS[precision] for precision, rate in peaks.items()]
    if not products:
        return float("nan")
    highest: Array = products[0]
    for product in products[1:]:
        highest = np.fmax(highest, product)
    return highest


def performance_density(tpp: Array, die_area_mm2: Array) -> Array:
    """TPP over the area of all logic dies on a non-planar node [TPP/mm2].

    Examples
    --------
    >>> round(float(performance_density(15832.0, 814.0)), 2)
    19.45
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(tpp) / np.asarray(die_area_mm2)
