"""Waiting times in closed form, for pools that a simulation of every draw would be too slow for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.serving.roots import largest_keeping

Array = NDArray[np.float64] | float
FULL = 1.0 - 1e-9  # load at which waits are finite still
LOAD_ERROR, TIME_ERROR = 1e-6, 1e-6  # absolute, and as a share
SHORTEST = 1e-5  # a pass that nobody waits for [s]: keeps differences of exponentials above rounding


def probability_of_waiting(load: Array, servers: Array) -> Array:
    """Share of arrivals that find every server busy, about [1].

    Notes
    -----
    Sakasegawa's exponent, rho^(sqrt(2 (c + 1)) - 1): exact for one server, within a few hundredths of Erlang
    C for more (H. Sakasegawa, Ann. Inst. Statist. Math. 29, 1977).

    Examples
    --------
    >>> float(probability_of_waiting(0.5, 1))
    0.5
    """
    return np.power(load, np.sqrt(2.0 * (np.asarray(servers, dtype=float) + 1.0)) - 1.0)


@dataclass(frozen=True, slots=True)
class Passes:
    """Servers that work in passes: who comes during one waits for its end.

    Attributes
    ----------
    overhead_s : Array
        What a pass takes beside the work in it [s].
    longest_s : Array
        A full pass [s].
    full : bool or ndarray of bool
        True where every pass takes the full time, as servers keep step; False where it is as long as what has come.

    Notes
    -----
    A server that takes whatever came during its last pass has passes of T = overhead + rho T, so overhead / (1 - rho),
    up to a full one. A request waits for the rest of a pass and leaves at the end of the next.
    """

    overhead_s: Array = 0.0
    longest_s: Array = 0.0
    full: bool | NDArray[np.bool_] = False

    def length_s(self, load: Array) -> Array:
        """Time of a pass at a load [s]."""
        grown = np.minimum(np.divide(self.overhead_s, np.maximum(1.0 - load, 1e-12)), self.longest_s)
        return np.where(self.full, self.longest_s, grown)

    def own_s(self, load: Array) -> Array:
        """What a request's own pass takes beside its own work, where that is not in its work already [s]."""
        return np.where(self.full, 0.0, self.length_s(load))


AT_ONCE = Passes()


def mean_wait(load: Array, servers: Array, service_s: Array, arrival_cv: Array, service_cv: Array) -> Array:
    """Mean time in the queue of G/G/c [s].

    Notes
    -----
    Allen and Cunneen: P(wait) E[S] / (c (1 - rho)) x (c_a^2 + c_s^2) / 2. Exact for M/M/1 and M/G/1.

    Examples
    --------
    Half-loaded M/M/1 with 1 s of service waits 1 s, M/D/1 half of that.

    >>> float(mean_wait(0.5, 1, 1.0, 1.0, 1.0)), float(mean_wait(0.5, 1, 1.0, 1.0, 0.0))
    (1.0, 0.5)
    """
    variability = (np.square(arrival_cv) + np.square(service_cv)) / 2
    return probability_of_waiting(load, servers) * service_s / (servers * (1.0 - load)) * variability


def share_waiting_less(limit_s: Array, wait_s: Array, waits: Array, cycle_s: Array = 0.0) -> Array:
    """Share of requests whose wait is at most ``limit_s`` [1].

    Parameters
    ----------
    wait_s : Array
        Mean wait of all requests [s].
    waits : Array
        Probability of waiting at all [1].
    cycle_s : Array
        Servers start work at the end of a pass only: everybody first waits for what is left of one of this length,
        anything from nothing to all of it [s].

    Notes
    -----
    Those who wait do so for an exponential time of mean m = wait_s / waits, which is exact for M/M/c. With a uniform
    time up to a before it, P(wait <= t) = [(t - t') - wait_s (exp(-t' / m) - exp(-t / m))] / a, t' = max(t - a, 0).
    Nobody waits a negative time.

    Examples
    --------
    An empty pool with passes of 2 s: a quarter of the requests start within 0.5 s.

    >>> float(share_waiting_less(0.5, 0.0, 0.0, 2.0))
    0.25
    """
    mean = np.maximum(np.divide(wait_s, np.maximum(waits, 1e-300)), 1e-300)
    limit = np.maximum(limit_s, 0.0)
    if not np.any(cycle_s):
        return np.where(np.asarray(limit_s) < 0, 0.0, 1.0 - waits * np.exp(-limit / mean))
    cycle = np.maximum(cycle_s, SHORTEST)
    rest = np.maximum(limit - cycle, 0.0)
    return ((limit - rest) - wait_s * (np.exp(-rest / mean) - np.exp(-limit / mean))) / cycle


def largest_load(
    limits_s: Array,
    weights: NDArray[np.float64],
    servers: Array,
    service_s: Array,
    arrival_cv: Array,
    service_cv: Array,
    share: float,
    passes: Passes = AT_ONCE,
) -> Array:
    """Highest load of a pool at which a share of the requests waits no longer than its limit [1].

    Parameters
    ----------
    limits_s : ndarray (kinds, ...)
        Longest wait each kind of request may have [s].
    weights : ndarray (kinds,)
        Frequency of each kind; adds up to 1.
    service_s : Array
        Mean service time [s].
    share : float
        Share of all requests that must meet their limit.
    passes : Passes
        How servers take up work; at once when left out.

    Returns
    -------
    Array
        0 where even an empty pool is too slow.
    """
    limits = np.asarray(limits_s, dtype=float)
    rest = (servers, service_s, service_cv, passes.longest_s)
    nothing = np.zeros(np.broadcast_shapes(limits.shape[1:], *(np.shape(each) for each in rest)))

    def excess(load: NDArray[np.float64]) -> Array:
        wait = mean_wait(load, servers, service_s, arrival_cv, service_cv)
        waits = probability_of_waiting(load, servers)
        slack = limits - passes.own_s(load)
        in_time = share_waiting_less(slack, wait, waits, passes.length_s(load))
        return share - 1e-12 - np.tensordot(weights, in_time, 1)

    return np.nan_to_num(largest_keeping(excess, nothing, nothing + FULL, LOAD_ERROR), nan=0.0)


def percentile_time(
    fixed: Array,
    weights: NDArray[np.float64],
    wait: Array,
    waits: Array,
    percentile: float,
    cycle_s: Array = 0.0,
) -> Array:
    """Time within which a share of the requests have waited and been served [s].

    Parameters
    ----------
    fixed : ndarray (kinds, ...)
        Time besides the wait of each kind of request [s].
    weights : ndarray (kinds,)
        Frequency of each kind; adds up to 1.
    wait : Array
        Mean wait of all requests [s].
    waits : Array
        Probability of waiting at all [1].
    cycle_s : Array
        As in :func:`share_waiting_less`.
    """
    low = np.maximum(np.min(fixed, axis=0), SHORTEST)
    mean = np.divide(wait, np.maximum(waits, 1e-300))
    high = np.max(fixed, axis=0) + cycle_s + 40 * mean

    def excess(time: NDArray[np.float64]) -> Array:
        in_time = share_waiting_less(np.exp(time) - fixed, wait, waits, cycle_s)
        return np.tensordot(weights, in_time, 1) - percentile + 1e-12

    found = largest_keeping(excess, np.log(low), np.log(high), TIME_ERROR)
    return np.exp(np.where(np.isnan(found), np.log(low), found))
