"""A recorded trace as traffic: the distributions that speak of it in closed form, and its replay at any rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.serving.sessions import Sessions
from sim.serving.traffic import LengthDistribution, Requests, Trace, TraceError, scaled_to

WIDEST = 8.0  # largest standard deviation of the logarithm that is tried


@dataclass(frozen=True, slots=True)
class TraceTraffic:
    """What closed forms need to know of a trace.

    Attributes
    ----------
    prompt, output : LengthDistribution
        Lognormal lengths with the trace's mean, mean square and maximum [token].
    burstiness : float
        Coefficient of variation of the time between arrivals [1].
    prefix_hit : float or None
        Share of prompt tokens that a prefix cache without limit finds; None where the trace names no blocks [1].
    """

    prompt: LengthDistribution
    output: LengthDistribution
    burstiness: float
    prefix_hit: float | None


def trace_traffic(trace: Trace) -> TraceTraffic:
    """Lengths, burstiness and prefix reuse of a trace.

    Raises
    ------
    TraceError
        When the trace has fewer than two arrival times: it has no rate.
    """
    requests = trace.requests
    gaps = np.diff(requests.arrival_s)
    if not np.any(gaps > 0):
        raise TraceError("a trace needs requests at two different times at least")
    hit = float(requests.cached.sum() / requests.prompt.sum()) if _names_reuse(trace) else None
    return TraceTraffic(
        fitted_lengths(requests.prompt), fitted_lengths(requests.output), float(gaps.std() / gaps.mean()), hit
    )


def _names_reuse(trace: Trace) -> bool:
    """Whether the trace says what of a prompt was there before."""
    return trace.blocks is not None or trace.follows is not None


def fitted_lengths(lengths: NDArray[np.int32]) -> LengthDistribution:
    """Lognormal, cut at the longest, with the mean and the mean square of the lengths.

    Notes
    -----
    Work in prefill goes with the mean, attention and the stay of long answers with the mean square: these two have to
    be right, where a fit of the logarithms would be wrong by the tail that a trace does not have. Of all lengths in
    0..M with mean m, none has a larger mean square than m M, and the cut lognormal reaches it as its spread grows.

    Examples
    --------
    >>> fit = fitted_lengths(np.array([100, 200, 600]))
    >>> round(float(fit.mean)), round(float(fit.mean_square)), fit.maximum
    (300, 136667, 600.0)
    """
    values = lengths.astype(np.float64)
    return lengths_with(float(values.mean()), float(np.mean(values**2)), float(values.max()))


def lengths_with(mean: float, square: float, longest: float) -> LengthDistribution:
    """The same from published moments: mean [token], mean square [token^2] and longest [token].

    Examples
    --------
    A published mean of 1,000 with a standard deviation of 1,000 and nothing above 10,000.

    >>> fit = lengths_with(1000.0, 1000.0**2 + 1000.0**2, 10_000.0)
    >>> round(float(fit.mean)), round(float(fit.mean_square))
    (1000, 2000000)
    """
    if square <= mean**2 * (1 + 1e-12):
        return LengthDistribution(mean, 0.0, longest)
    low, high = 0.0, WIDEST
    for _ in range(60):
        middle = (low + high) / 2
        if _with_mean(mean, middle, longest).mean_square < square:
            low = middle
        else:
            high = middle
    return _with_mean(mean, high, longest)


def _with_mean(mean: float, sigma: float, longest: float) -> LengthDistribution:
    """Lognormal of spread ``sigma``, cut at ``longest``, with the given mean."""
    low, high = np.log(mean) - sigma**2 - 1.0, np.log(longest) + 10.0 * sigma + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if LengthDistribution(float(np.exp(middle)), sigma, longest).mean < mean:
            low = middle
        else:
            high = middle
    return LengthDistribution(float(np.exp(high)), sigma, longest)


def replayed(trace: Trace, rate: float, count: int, prefix_hit: float, rng: np.random.Generator) -> Requests:
    """``count`` requests of a trace in their order, from a random place in it, at a mean of ``rate`` requests per second.

    Parameters
    ----------
    prefix_hit : float
        Share of every prompt that is cached, where the trace names no blocks [1].

    Notes
    -----
    The clock is stretched, so lengths, their order, and bursts relative to the mean gap stay as recorded. Past the
    end the trace starts again.
    """
    requests = trace.requests
    size = len(requests)
    start = int(rng.integers(size)) if count < size else 0
    rows = (start + np.arange(count)) % size
    rounds = (start + np.arange(count)) // size
    span = float(requests.arrival_s[-1]) * size / (size - 1)  # with a mean gap between the last and the first
    arrival = requests.arrival_s[rows] + rounds * span
    part = Requests(arrival, requests.prompt[rows], requests.output[rows], requests.cached[rows])
    if not _names_reuse(trace):
        part = replace(part, cached=np.minimum((part.prompt * prefix_hit).astype(np.int32), part.prompt - 1))
    return scaled_to(part, rate)


def replayed_sessions(
    sessions: Sessions,
    rate: float,
    count: int,
    answer_s: Callable[[NDArray[np.int32]], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Sessions:
    """Whole sessions with ``count`` rounds or a few more, from a random one on, at a steady ``rate`` of rounds [1/s].

    Parameters
    ----------
    answer_s : callable
        Time that answers of given lengths are expected to take [s].

    Notes
    -----
    Sessions start closer together or further apart; their tools keep their pace. Past the last the first comes again.
    """
    rows = sessions.by_session()
    first = int(rng.integers(len(rows)))
    chosen: list[NDArray[np.int_]] = []
    rounds: list[int] = []
    size, turn = 0, 0
    while size < count:
        lap, which = divmod(first + turn, len(rows))
        chosen.append(rows[which])
        rounds.append(lap)
        size, turn = size + len(rows[which]), turn + 1
    copies = sessions.copies(chosen, rounds)
    return copies.steady(rate, answer_s(copies.requests.output))


def residents_of(
    trace: Trace, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Prompt and output lengths of requests found in decode at a random moment: a row as often as its answer is long."""
    requests = trace.requests
    rows = rng.choice(len(requests), count, p=requests.output / requests.output.sum())
    return requests.prompt[rows], requests.output[rows]
