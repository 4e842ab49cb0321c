"""Waiting times in closed form, for pools that a simulation of every draw would be too slow for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64] | float


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


def share_waiting_less(limit_s: Array, wait_s: Array, waits: Array) -> Array:
    """Share of requests whose wait is at most ``limit_s`` [1].

    Parameters
    ----------
    wait_s : Array
        Mean wait of all requests [s].
    waits : Array
        Probability of waiting at all [1].

    Notes
    -----
    Those who wait do so for an exponential time of mean wait_s / waits, which is exact for M/M/c. Nobody
    waits a negative time.
    """
    mean = np.maximum(np.divide(wait_s, np.maximum(waits, 1e-300)), 1e-300)
    late = waits * np.exp(-np.maximum(limit_s, 0.0) / mean)
    return np.where(np.asarray(limit_s) < 0, 0.0, 1.0 - late)


def largest_load(
    limits_s: Array,
    weights: NDArray[np.float64],
    servers: Array,
    service_s: Array,
    arrival_cv: Array,
    service_cv: Array,
    share: float,
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

    Returns
    -------
    Array
        0 where even an empty pool is too slow.
    """
    limits = np.asarray(limits_s, dtype=float)
    low = np.zeros(
        np.broadcast_shapes(limits.shape[1:], *(np.shape(x) for x in (servers, service_s, service_cv)))
    )
    high = np.ones_like(low)
    possible = np.tensordot(weights, limits >= 0, 1) >= share - 1e-12
    for _ in range(24):
        middle = (low + high) / 2
        wait = mean_wait(middle, servers, service_s, arrival_cv, service_cv)
        met = np.tensordot(
            weights, share_waiting_less(limits, wait, probability_of_waiting(middle, servers)), 1
        )
        low, high = np.where(met >= share, middle, low), np.where(met >= share, high, middle)
    return np.where(possible, low, 0.0)


def percentile_time(
    fixed: Array, weights: NDArray[np.float64], wait: Array, waits: Array, percentile: float
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
    """
    low = np.min(fixed, axis=0)
    mean = np.divide(wait, np.maximum(waits, 1e-300))
    high = np.max(fixed, axis=0) + 40 * mean
    for _ in range(30):
        middle = (low + high) / 2
        met = np.tensordot(weights, share_waiting_less(middle - fixed, wait, waits), 1) >= percentile - 1e-12
        low, high = np.where(met, low, middle), np.where(met, middle, high)
    return high
