"""Tests on figures that may be unknown or known as a range: true, false, or not decidable.

The logic is Kleene's: false is 0, not decidable 1/2, true 1; *all* is the minimum, *any* the maximum, *not* one minus.
Figures are pairs of bounds that broadcast, so that one evaluation serves one chip, a grid of designs, or all draws of
an uncertain chip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64] | float
Op: TypeAlias = Literal[">=", ">", "<=", "<", "=="]

FALSE, OPEN, TRUE = 0.0, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest and largest value a figure can have; equal where it is known, infinite where nothing is.

    Examples
    --------
    >>> Bounds.of(4800.0).known
    True
    >>> Bounds().known
    False
    """

    low: Array = -np.inf
    high: Array = np.inf

    @staticmethod
    def of(value: Array) -> Bounds:
        """A known figure; NaN counts as unknown."""
        array = np.asarray(value, dtype=float)
        if array.ndim == 0:
            return UNKNOWN if np.isnan(array) else Bounds(float(array), float(array))
        missing = np.isnan(array)
        return Bounds(np.where(missing, -np.inf, array), np.where(missing, np.inf, array))

    @property
    def known(self) -> bool:
        """True where low and high agree everywhere."""
        return bool(np.all(np.asarray(self.low) == np.asarray(self.high)))

    @property
    def middle(self) -> float:
        """Geometric middle of positive finite bounds, the finite one of two, or NaN; scalars only."""
        low, high = float(np.asarray(self.low)), float(np.asarray(self.high))
        if low == high:
            return low
        if np.isfinite(low) and np.isfinite(high):
            return float(np.sqrt(low * high)) if low > 0 else (low + high) / 2
        return float("nan")

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(
            np.asarray(self.low) + np.asarray(other.low), np.asarray(self.high) + np.asarray(other.high)
        )

    def over(self, other: Bounds) -> Bounds:
        """Quotient of two figures that are not below zero; unknown where the divisor may be zero."""
        if np.all(np.isinf(self.high)) and np.all(np.asarray(self.low) <= 0):
            return UNKNOWN
        top_low, top_high = np.maximum(self.low, 0.0), np.asarray(self.high, dtype=float)
        down_low, down_high = np.maximum(other.low, 0.0), np.asarray(other.high, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            low = np.where(np.isinf(down_high), 0.0, top_low / down_high)
            high = np.where((down_low <= 0) | np.isinf(top_high), np.inf, top_high / down_low)
        return Bounds(np.where(np.isnan(low), 0.0, low)[()], np.where(np.isnan(high), np.inf, high)[()])


UNKNOWN = Bounds()


@dataclass(frozen=True, slots=True)
class Compare:
    """A figure against a threshold, with the sign exactly as the rule has it."""

    field: str
    op: Op
    value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A label (name, vendor, origin, kind) among some values; names match by whole words."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What another rule says of the same item."""

    rule: str
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Test


Test: TypeAlias = Compare | OneOf | Outcome | Every | Some | Not


def compare(figure: Bounds, op: Op, value: float) -> Array:
    """Truth of ``figure op value``.

    Examples
    --------
    >>> float(compare(Bounds.of(4800.0), ">=", 4800.0)), float(compare(Bounds.of(4800.0), ">", 4800.0))
    (1.0, 0.0)
    >>> float(compare(Bounds(4000.0, 5000.0), ">=", 4800.0))
    0.5
    """
    low, high = np.asarray(figure.low, dtype=float), np.asarray(figure.high, dtype=float)
    match op:
        case ">=":
            surely, never = low >= value, high < value
        case ">":
            surely, never = low > value, high <= value
        case "<=":
            surely, never = high <= value, low > value
        case "<":
            surely, never = high < value, low >= value
        case "==":
            surely, never = (low == value) & (high == value), (high < value) | (low > value)
    return np.where(surely, TRUE, np.where(never, FALSE, OPEN))


def words(name: str) -> tuple[str, ...]:
    """A name as lower-case words, so that "H200" never matches "H20".

    Examples
    --------
    >>> words("NVIDIA RTX PRO 6000D (China)")
    ('nvidia', 'rtx', 'pro', '6000d', 'china')
    """
    return tuple("".join(c if c.isalnum() else " " for c in name.lower()).split())


def names_match(name: str, wanted: str) -> bool:
    """Whether the words of ``wanted`` stand together in ``name``."""
    have, want = words(name), words(wanted)
    return bool(want) and any(have[i : i + len(want)] == want for i in range(len(have) - len(want) + 1))


def holds(
    test: Test,
    figures: Mapping[str, Bounds],
    labels: Mapping[str, str | None],
    outcome: Callable[[Outcome], Array],
) -> Array:
    """Truth of a test tree.

    Parameters
    ----------
    figures : mapping of field to Bounds
        Fields that are not there are unknown.
    labels : mapping of field to str or None
        Words; None or absent: unknown.
    outcome : callable
        Truth of "the other rule gives one of these results".

    Returns
    -------
    array of 0, 1/2 or 1, in the broadcast shape of the figures.
    """
    match test:
        case Compare(field, op, value):
            return compare(figures.get(field, UNKNOWN), op, value)
        case OneOf(field, values):
            label = labels.get(field)
            if label is None:
                return OPEN
            return TRUE if any(names_match(label, value) for value in values) else FALSE
        case Outcome():
            return outcome(test)
        case Every(parts):
            return _folded(np.minimum, parts, figures, labels, outcome, TRUE)
        case Some(parts):
            return _folded(np.maximum, parts, figures, labels, outcome, FALSE)
        case Not(part):
            return 1.0 - np.asarray(holds(part, figures, labels, outcome))


def _folded(
    fold: Callable[[Array, Array], Array],
    parts: tuple[Test, ...],
    figures: Mapping[str, Bounds],
    labels: Mapping[str, str | None],
    outcome: Callable[[Outcome], Array],
    start: float,
) -> Array:
    result: Array = start
    for part in parts:
        result = fold(result, holds(part, figures, labels, outcome))
    return result


def comparisons(test: Test) -> list[Compare]:
    """Every threshold of a test tree, in the order of the text."""
    match test:
        case Compare():
            return [test]
        case Every(parts) | Some(parts):
            return [leaf for part in parts for leaf in comparisons(part)]
        case Not(part):
            return comparisons(part)
        case _:
            return []
