"""Requests: when they come, how long they are, and how much of their prompt is already cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sim.units import DAY

Array = NDArray[np.float64] | float
Times = NDArray[np.float64]
Counts = NDArray[np.int32]


class TraceError(ValueError):
    """A trace file cannot be read; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in order of arrival, one row each.

    Attributes
    ----------
    arrival_s : ndarray (n,)
        Arrival times [s], not decreasing. Ignored when clients send in a closed loop.
    prompt, output : ndarray (n,)
        Prompt tokens and tokens to generate, at least 1 [token].
    cached : ndarray (n,)
        Prompt tokens found in the prefix cache, at most prompt - 1 [token].
    """

    arrival_s: Times
    prompt: Counts
    output: Counts
    cached: Counts

    def __len__(self) -> int:
        return len(self.arrival_s)


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded stretch of traffic.

    Attributes
    ----------
    requests : Requests
        As recorded; what a prefix cache without limit would hold is in ``cached``.
    blocks : tuple of sequences, optional
        Ids of the 512-token blocks of each prompt; None where the trace does not name them.
    follows, wait_s : ndarray (n,), optional
        Where most requests wait for the answer to an earlier one: its row (-1: none), and the pause after it [s]; see
        :func:`sim.serving.sessions.sessions_of`.
    """

    requests: Requests
    blocks: tuple[Sequence[int], ...] | None = None
    follows: Counts | None = None
    wait_s: Times | None = None


@dataclass(frozen=True, slots=True)
class LengthDistribution:
    """Lognormal token counts, cut at a maximum; sigma 0 is a constant. Fields may be arrays of draws."""

    median: Array
    sigma: Array
    maximum: Array

    @property
    def mean(self) -> Array:
        """Mean of min(X, maximum), X lognormal [token].

        Notes
        -----
        E[min(X, m)] = exp(mu + s^2/2) Phi((ln m - mu - s^2)/s) + m (1 - Phi((ln m - mu)/s)).

        Examples
        --------
        >>> round(float(LengthDistribution(1000, 0.0, 8000).mean))
        1000
        """
        return self._moment(1)

    @property
    def mean_square(self) -> Array:
        """Mean of min(X, maximum) squared [token^2]."""
        return self._moment(2)

    def _moment(self, power: int) -> Array:
        spread = np.maximum(self.sigma, 1e-6)
        z = (np.log(self.maximum) - np.log(self.median)) / spread
        grown = np.power(self.median, power) * np.exp((power * spread) ** 2 / 2)
        return grown * ndtr(z - power * spread) + np.power(self.maximum, power) * ndtr(-z)

    def quantile(self, p: Array) -> Array:
        """Length that a share ``p`` of the requests does not exceed [token]."""
        return np.minimum(self.median * np.exp(self.sigma * ndtri(p)), self.maximum)

    def parts(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean length between successive probabilities, (len(edges) - 1, draws) [token].

        Notes
        -----
        Partial expectation of the lognormal, m exp(s^2 / 2) (Phi(b - s) - Phi(a - s)) between normal scores a and b,
        and the maximum beyond its score.
        """
        spread = np.maximum(np.atleast_1d(self.sigma), 1e-6)
        scores = ndtri(edges)[:, None]
        cut = (np.log(self.maximum) - np.log(self.median)) / spread
        below = np.minimum(scores, cut)
        inside = self.median * np.exp(spread**2 / 2) * np.diff(ndtr(below - spread), axis=0)
        beyond = self.maximum * np.diff(ndtr(np.maximum(scores, cut)), axis=0)
        return (inside + beyond) / np.diff(edges)[:, None]

    def draw(self, count: int, rng: np.random.Generator) -> Counts:
        """``count`` whole lengths of at least one token, from scalar fields."""
        lengths = rng.normal(np.log(self.median), self.sigma, count)
        np.exp(lengths, out=lengths)
        np.clip(np.rint(lengths, out=lengths), 1, self.maximum, out=lengths)
        return lengths.astype(np.int32)


def poisson_arrivals(rate: float, count: int, rng: np.random.Generator) -> Times:
    """``count`` arrivals with exponential gaps at ``rate`` [1/s]."""
    return np.cumsum(rng.exponential(1 / rate, count))


def gamma_arrivals(rate: float, cv: float, count: int, rng: np.random.Generator) -> Times:
    """Arrivals with gamma gaps: mean 1/rate and coefficient of variation ``cv`` (1 = Poisson, above =
    bursts)."""
    shape = 1 / cv**2
    return np.cumsum(rng.gamma(shape, 1 / (rate * shape), count))


def on_off_arrivals(rate: float, on_s: float, off_s: float, count: int, rng: np.random.Generator) -> Times:
    """Bursts: exponential on and off periods of the given means; ``rate`` is the long-run mean.

    Notes
    -----
    An interrupted Poisson process: Poisson on a clock that only runs while the source is on, mapped back to
    real time.
    """
    active = np.cumsum(rng.exponential(on_s / (rate * (on_s + off_s)), count))
    periods = int(active[-1] / on_s * 1.5) + 20 if count else 0
    on_ends = np.cumsum(rng.exponential(on_s, periods))
    while count and on_ends[-1] < active[-1]:
        on_ends = np.concatenate([on_ends, on_ends[-1] + np.cumsum(rng.exponential(on_s, periods))])
    pauses = np.concatenate([[0.0], np.cumsum(rng.exponential(off_s, len(on_ends)))])
    return active + pauses[np.searchsorted(on_ends, active)]


def diurnal_arrivals(
    rate: float, peak_over_mean: float, count: int, rng: np.random.Generator, period_s: float = DAY
) -> Times:
    """Poisson arrivals whose rate is mean x (1 - (peak - 1) cos(2 pi t / period)), lowest at t = 0.

    Raises
    ------
    ValueError
        When ``peak_over_mean`` is outside 1..2 (the rate would turn negative).
    """
    if not 1 <= peak_over_mean <= 2:
        raise ValueError(f"peak_over_mean is {peak_over_mean}; a sine day needs a value from 1 to 2")
    swing = peak_over_mean - 1
    work = np.cumsum(rng.exponential(1.0, count)) / rate  # time on a clock that runs with the rate
    turns = int(work[-1] / period_s) + 1 if count else 0
    grid = np.linspace(0, turns * period_s, turns * 4096 + 1)
    clock = grid - swing * period_s / (2 * np.pi) * np.sin(2 * np.pi * grid / period_s)
    return np.interp(work, clock, grid)


def draw_requests(
    arrival_s: Times,
    prompt: LengthDistribution,
    output: LengthDistribution,
    prefix_hit: float,
    rng: np.random.Generator,
) -> Requests:
    """Lengths for given arrivals; every prompt finds the same share of its tokens cached."""
    prompts = prompt.draw(len(arrival_s), rng)
    cached = np.minimum((prompts * prefix_hit).astype(np.int32), prompts - 1)
    return Requests(arrival_s, prompts, output.draw(len(arrival_s), rng), cached)


def scaled_to(requests: Requests, rate: float) -> Requests:
    """The same requests with arrival times stretched to a mean of ``rate`` requests per second."""
    span = requests.arrival_s[-1] - requests.arrival_s[0]
    factor = (len(requests) - 1) / rate / span if span > 0 else 1.0
    return replace(requests, arrival_s=(requests.arrival_s - requests.arrival_s[0]) * factor)
