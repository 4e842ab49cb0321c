"""Rules that say how many replicas a pool should have: plain functions of what can be seen of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sim.units import HOUR


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool at a moment.

    Attributes
    ----------
    now_s : float
        Time [s].
    up, starting : int
        Replicas that serve, and that are being started.
    in_flight : float
        Requests waiting or running: mean of the beginning and the end of the last period.
    places : int
        Sequences a replica may run at once.
    busy : float
        Share of the last period that the replicas were in steps [1].
    """

    now_s: float
    up: int
    starting: int
    in_flight: float
    places: int
    busy: float = 0.0


Decide = Callable[[PoolState], float]


@dataclass(frozen=True, slots=True)
class Autoscale:
    """How a pool grows and shrinks.

    Attributes
    ----------
    decide : callable
        Replicas wanted.
    period_s : float
        Time between decisions [s].
    start_s : float
        From the order of a replica to its first request; it is paid from the order on [s].
    least, most : int
        Bounds.
    """

    decide: Decide
    period_s: float
    start_s: float
    least: int
    most: int

    def wanted(self, state: PoolState) -> int:
        """Whole replicas within the bounds."""
        return min(max(math.ceil(self.decide(state) - 1e-9), self.least), self.most)


def target_occupancy(target: float) -> Decide:
    """As many replicas as fill a share ``target`` of their places with the requests in flight: for decoding.

    Notes
    -----
    The rule of the Kubernetes horizontal autoscaler (wanted = present x measured / target), with requests in flight per
    place as the measure: a replica that batches is in steps all the time, however few sequences it has.

    Examples
    --------
    >>> target_occupancy(0.5)(PoolState(0.0, up=4, starting=0, in_flight=300, places=100))
    6.0
    """

    def decide(state: PoolState) -> float:
        return state.in_flight / (target * state.places)

    return decide


def target_busy(target: float) -> Decide:
    """The same rule with the time in steps as the measure: for replicas that only read prompts.

    Examples
    --------
    >>> target_busy(0.6)(PoolState(0.0, up=4, starting=0, in_flight=9, places=1000, busy=0.9))
    6.0
    """

    def decide(state: PoolState) -> float:
        return max(state.up, 1) * state.busy / target

    return decide


def on_schedule(hours: dict[int, float]) -> Decide:
    """Replicas by hour of the day: the entry of the latest hour that has one.

    Examples
    --------
    >>> decide = on_schedule({0: 2, 8: 10, 22: 4})
    >>> decide(PoolState(9 * 3600.0, 2, 0, 0.0, 1)), decide(PoolState(7 * 3600.0, 2, 0, 0.0, 1))
    (10, 2)
    """
    starts = sorted(hours)

    def decide(state: PoolState) -> float:
        hour = state.now_s / HOUR % 24.0
        past = [start for start in starts if start <= hour]
        return hours[past[-1] if past else starts[-1]]

    return decide
