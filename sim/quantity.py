"""A number about the world: its value, its range, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit, ndtri

Kind = Literal["official", "measured", "tech_report", "analyst", "press", "derived", "assumed"]
Distribution = Literal["lognormal", "logitnormal", "normal", "uniform", "triangular", "beta", "mixture"]
Array = NDArray[np.float64] | float

KINDS: tuple[str, ...] = get_args(Kind)
WEAK_KINDS: tuple[str, ...] = ("analyst", "press", "derived", "assumed")
Z95 = 1.6448536269514722  # 95th percentile of the standard normal: low and high are the 5th and the 95th


class UnknownQuantityError(ValueError):
    """A result was asked for that rests on a number nobody has published."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A sourced number in base units with its 5th to 95th percentile range.

    Attributes
    ----------
    value : float
        The central value (median), in base units; NaN when unknown.
    low, high : float or None
        5th and 95th percentile, in base units. None on both sides: taken as exact.
    unit : str
        The unit as the file wrote it, for display; "" for pure numbers.
    source : str
        Key in the ``sources`` block of the file.
    kind : Kind
        How solid the number is.
    as_of : str
        ISO year, month or day the number was stated for.
    path : str
        ``file id#dotted.field``: the identity by which one draw is shared by all who use the number.
    parts : tuple of (weight, Quantity)
        Of a mixture: what it may be, with weights that add up to one. Parts without a range make it discrete.

    Examples
    --------
    >>> bandwidth = Quantity(3.2e12, low=3.0e12, high=3.35e12)
    >>> bandwidth.is_uncertain
    True
    >>> float(bandwidth.quantile(0.5)) == 3.2e12
    True
    """

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    source: str = ""
    kind: Kind = "assumed"
    as_of: str = ""
    note: str = ""
    distribution: Distribution = "lognormal"
    path: str = ""
    parts: tuple[tuple[float, Quantity], ...] = ()

    @property
    def is_unknown(self) -> bool:
        """True when the file says ``unknown``."""
        return bool(np.isnan(self.value))

    @property
    def is_uncertain(self) -> bool:
        """True when the file gives a range that is wider than a point."""
        return bool(self.parts) or (self.low is not None and self.high is not None and self.high > self.low)

    @property
    def median(self) -> float:
        """The central value.

        Raises
        ------
        UnknownQuantityError
            When the quantity is unknown.
        """
        if self.is_unknown:
            raise UnknownQuantityError(f"{self.path or 'a quantity'} is unknown, and this result needs it")
        return self.value

    def quantile(self, probability: Array) -> Array:
        """Value at a probability (inverse cumulative distribution), in base units.

        Lognormal, logit-normal and normal are two-piece: the median is ``value`` and each side has
        the spread that puts ``low`` at 5 % and ``high`` at 95 %, so a lopsided range stays lopsided.
        Uniform and triangular are stretched so that the same two percentiles hold; beta is the one on 0 to 1
        that has them; a mixture has the weighted sum of the cumulative distributions of its parts.

        Raises
        ------
        UnknownQuantityError
            When the quantity is unknown.
        """
        if not self.is_uncertain:
            return self.median + 0.0 * np.asarray(probability)
        p = np.asarray(probability, dtype=float)
        if self.parts:
            return _mixture_quantile(p, self.parts)
        assert self.low is not None
        assert self.high is not None
        if self.distribution == "beta":
            a, b = beta_shape(self.low, self.high)
            return np.where(p == 0.5, self.value, betaincinv(a, b, p))
        if self.distribution == "uniform":
            return self.low + (p - 0.05) / 0.90 * (self.high - self.low)
        if self.distribution == "triangular":
            return _triangular_quantile(p, self.low, self.value, self.high)
        forward, back = _SCALES[self.distribution]
        low, middle, high = (float(forward(x)) for x in (self.low, self.value, self.high))
        z = ndtri(p)
        drawn = back(middle + z * np.where(z < 0, middle - low, high - middle) / Z95)
        return np.where(z == 0, self.value, drawn)  # the median to the last bit, whatever the scale rounds


_SCALES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "lognormal": (np.log, np.exp),
    "logitnormal": (logit, expit),
    "normal": (lambda x: x, lambda x: x),
}


def _triangular_quantile(p: NDArray[np.float64], low: float, mode: float, high: float) -> NDArray[np.float64]:
    """Two triangles joined at the mode, each scaled so that 5 % of the mass lies beyond its given percentile."""
    reach = 1.0 / (1.0 - np.sqrt(0.1))  # half the mass on each side: the tail beyond holds 5 % of it all
    left, right = (mode - low) * reach, (high - mode) * reach
    return np.where(p < 0.5, mode - left * (1 - np.sqrt(2 * p)), mode + right * (1 - np.sqrt(2 * (1 - p))))


@lru_cache(maxsize=256)
def beta_shape(low: float, high: float) -> tuple[float, float]:
    """Parameters of the beta distribution with the given 5th and 95th percentile.

    Raises
    ------
    ValueError
        When ``low`` and ``high`` are not apart, or not inside 0 to 1.

    Examples
    --------
    Beta(1, 1) is uniform on 0 to 1.

    >>> tuple(round(x, 6) for x in beta_shape(0.05, 0.95))
    (1.0, 1.0)
    """
    if not 0 < low < high < 1:
        raise ValueError(f"no beta distribution has its 5th percentile at {low:g} and its 95th at {high:g}")
    from scipy.optimize import least_squares

    def missed(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = np.exp(logs)
        ends = np.array([betaincinv(a, b, 0.05), betaincinv(a, b, 0.95)])
        return np.asarray(logit(np.clip(ends, 1e-12, 1 - 1e-12)) - logit([low, high]))

    # From a broad, a middling and a narrow start: skewed ones are far from the first guess.
    mean = (low + high) / 2
    starts = (np.log([mean * size, (1 - mean) * size]) for size in (1.0, 5.0, 50.0))
    bounds = (np.log(1e-2), np.log(1e6))
    found = min((least_squares(missed, start, bounds=bounds, xtol=1e-14, ftol=1e-14) for start in starts),
                key=lambda each: float(each.cost))  # fmt: skip
    a, b = np.exp(found.x)
    return float(a), float(b)


FINE = 8192  # points of each part of a mixture: its percentiles are exact to a hundredth of a per cent of probability


def _mixture_quantile(
    p: NDArray[np.float64], parts: tuple[tuple[float, Quantity], ...]
) -> NDArray[np.float64]:
    """Smallest number that the mixture stays below with the given probability."""
    values, cumulative = _mixture_table(parts)
    return np.asarray(values[np.searchsorted(cumulative, p, side="left").clip(max=len(values) - 1)])


@lru_cache(maxsize=256)
def _mixture_table(
    parts: tuple[tuple[float, Quantity], ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values in ascending order, and the probability of being at or below each."""
    fine = (np.arange(FINE) + 0.5) / FINE
    values = np.concatenate([np.broadcast_to(part.quantile(fine), FINE) for _, part in parts])
    weights = np.repeat([weight / FINE for weight, _ in parts], FINE)
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return values[order], np.minimum(cumulative / cumulative[-1] + 1e-12, 1.0)
