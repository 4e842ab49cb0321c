"""Rules that choose a replica for a request: plain functions of the replicas and the request's serial number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sim.serving.replica import Replica

Route = Callable[[Sequence[Replica], int], Replica]


def round_robin(replicas: Sequence[Replica], serial: int) -> Replica:
    """Each replica in turn."""
    return replicas[serial % len(replicas)]


def least_loaded(replicas: Sequence[Replica], serial: int) -> Replica:
    """The replica with the fewest requests waiting or running; the first of them on a tie."""
    return min(replicas, key=_load)


def least_unread(replicas: Sequence[Replica], serial: int) -> Replica:
    """The replica with the fewest prompt tokens before it: where prompts differ in length, their number says little."""
    return min(replicas, key=_unread)


def power_of_two(rng: np.random.Generator) -> Route:
    """The less loaded of two replicas picked at random (Mitzenmacher 2001, doi:10.1109/71.963420)."""

    def route(replicas: Sequence[Replica], serial: int) -> Replica:
        first, second = (replicas[i] for i in rng.integers(0, len(replicas), 2))
        return first if first.load <= second.load else second

    return route


def _load(replica: Replica) -> int:
    return len(replica.waiting) + replica.active


def _unread(replica: Replica) -> int:
    return replica.unread
