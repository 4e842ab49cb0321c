"""Price lists against cost: revenue, margin, and the input at which the two meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.economics.depreciation import plain

Array = NDArray[np.float64] | float
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """A price list [USD per million tokens].

    Attributes
    ----------
    input_miss, input_hit, output : Array
        Prompt tokens that are computed, prompt tokens found in the cache, answer tokens.
    """

    input_miss: Array
    input_hit: Array
    output: Array


@dataclass(frozen=True, slots=True)
class TokenMix:
    """Tokens of a request (or a day, or a session) by kind [token]."""

    missed: Array
    hit: Array
    output: Array

    def times(self, count: Array) -> TokenMix:
        """The tokens of several such requests."""
        return TokenMix(self.missed * count, self.hit * count, self.output * count)


def revenue(prices: TokenPrices, mix: TokenMix) -> Array:
    """What the tokens sell for [USD].

    Examples
    --------
    DeepSeek's day of February 2025 at the prices of R1: 342 G hits, 266 G misses, 168 G output tokens.

    >>> day = TokenMix(missed=266e9, hit=342e9, output=168e9)
    >>> round(revenue(TokenPrices(input_miss=0.55, input_hit=0.14, output=2.19), day))
    562100
    """
    return (
        mix.missed * prices.input_miss + mix.hit * prices.input_hit + mix.output * prices.output
    ) / MILLION


def margin(cost_usd: Array, revenue_usd: Array) -> Array:
    """Share of the revenue that is left after cost [1]; negative at a loss.

    Examples
    --------
    >>> round(margin(87_072.0, 562_027.0), 3)
    0.845
    """
    return plain(1.0 - np.asarray(cost_usd, dtype=float) / revenue_usd)


def markup(cost_usd: Array, revenue_usd: Array) -> Array:
    """Profit over cost [1], the figure that DeepSeek published as 545 %.

    Examples
    --------
    >>> round(markup(87_072.0, 562_027.0), 2)
    5.45
    """
    return plain(np.asarray(revenue_usd, dtype=float) / cost_usd - 1.0)


def break_even(cost: Callable[[Array], Array], target: Array, at: tuple[Array, Array]) -> Array:
    """Value of an input at which a cost meets a target, draw by draw; NaN where the input does not move the cost.

    Parameters
    ----------
    cost : callable
        Cost as a function of the input, a straight line in it. Chip price and price of electricity enter every cost
        of this package that way; utilisation does when what is asked is the cost of the hour against what the hour
        earns.
    target : Array
        What the cost shall be, same unit.
    at : (Array, Array)
        Two values of the input that differ, to take the line from.

    Returns
    -------
    Array
        May lie below zero: then not even an input of nothing is enough.

    Raises
    ------
    ValueError
        When a third point shows that the cost is no straight line.

    Examples
    --------
    A fixed 10 plus 0.5 per unit reaches 20 at 20 units.

    >>> break_even(lambda x: 10.0 + 0.5 * x, 20.0, (0.0, 1.0))
    20.0
    """
    low, high = at
    first, second = np.asarray(cost(low), dtype=float), np.asarray(cost(high), dtype=float)
    middle = np.asarray(cost((np.asarray(low) + np.asarray(high)) / 2.0), dtype=float)
    finite = np.isfinite(first) & np.isfinite(second)
    bent = np.abs(middle - (first + second) / 2.0) > 1e-6 * np.maximum(np.abs(first), np.abs(second))
    if np.any(bent & finite):
        raise ValueError("the cost is no straight line in this input")
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (second - first) / (np.asarray(high, dtype=float) - low)
        found = low + (np.asarray(target, dtype=float) - first) / slope
    return plain(np.where(finite & (slope != 0.0), found, np.nan))


def reachable(found: Array, low: Array = 0.0, high: Array = np.inf) -> NDArray[np.bool_]:
    """True where a break-even lies within the range in which it means anything."""
    values = np.asarray(found, dtype=float)
    return np.asarray(np.isfinite(values) & (values >= low) & (values <= high))
