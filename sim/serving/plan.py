"""What serves the requests: pools of instances, how they are chosen, how they fail, rest and grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.serving.autoscale import Autoscale
from sim.serving.live import LiveRequest
from sim.serving.routing import Route, least_loaded
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.turns import Turns

Column: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Failures:
    """Breakdowns of a replica: exponential time to failure, then a fixed repair.

    Attributes
    ----------
    mean_s : float
        Mean time to failure of a replica: 1 / (failures per chip and second x its chips) [s].
    repair_s : float
        Time until it serves again [s].
    """

    mean_s: float
    repair_s: float


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One replica after the other is drained, renewed and put back.

    Attributes
    ----------
    every_s : float
        From the start of one replica's maintenance to the next [s].
    lasts_s : float
        Time from its last request to its return [s].
    """

    every_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Identical replicas behind one router.

    Attributes
    ----------
    route : Route
        Chooses among the replicas that are up.
    chips : float
        Chips of a replica, for the account of chip-hours.
    failures, maintenance, autoscale : optional
        Off when left out.
    """

    cost: StepCost
    limits: ReplicaLimits
    replicas: int
    route: Route = least_loaded
    chips: float = 1.0
    failures: Failures | None = None
    maintenance: Maintenance | None = None
    autoscale: Autoscale | None = None

    @property
    def restless(self) -> bool:
        """Whether something happens in it without any request."""
        return not (self.failures is None and self.maintenance is None and self.autoscale is None)


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What serves the requests.

    Attributes
    ----------
    serve : PoolPlan
        Aggregated replicas, or the decode pool when ``prefill`` is given.
    prefill : PoolPlan, optional
        Replicas that only read prompts and make the first token.
    transfer_s, transfer_token_s : float
        Sending the cache to the decode pool: fixed time [s] and time per prompt token [s].
    units : int
        Units of these pools, each with queues of its own; a request stays in its unit.
    assign : Route
        Chooses the unit.
    """

    serve: PoolPlan
    prefill: PoolPlan | None = None
    transfer_s: float = 0.0
    transfer_token_s: float = 0.0
    units: int = 1
    assign: Route = least_loaded


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of requests beside their lengths; each part may be left out.

    Attributes
    ----------
    hashes : sequence of sequences
        Ids of the prefix blocks of each prompt; where the first pool has a prefix cache, reuse is what it holds and
        ``Requests.cached`` is not read.
    priority, rhythm : sequence of int
        Class (0 goes first), and which of the speculative settings of the limits.
    extra_s : sequence of float
        Work at admission that holds up the instance, such as encoding images [s].
    follows, wait_s : ndarray (n,)
        Row of the request whose answer (or refusal) a request waits for, -1 for none, and the pause between [s]; the
        arrival time of a request that waits is not read. See :class:`sim.serving.sessions.Sessions`.
    """

    hashes: Sequence[Sequence[int]] | None = None
    priority: Sequence[int] | NDArray[np.int_] | None = None
    rhythm: Sequence[int] | NDArray[np.int_] | None = None
    extra_s: Sequence[float] | Column | None = None
    follows: NDArray[np.int32] | None = None
    wait_s: Column | None = None

    @property
    def plain(self) -> bool:
        """Nothing is known that an instance would look at."""
        return all(each is None for each in (self.hashes, self.priority, self.rhythm, self.extra_s))

    def check(self, limits: ReplicaLimits) -> None:
        """Refuse classes and kinds of speculation that a pool does not have.

        Raises
        ------
        ValueError
            Naming the column.
        """
        for name, column, most in (
            ("priority", self.priority, limits.classes),
            ("rhythm", self.rhythm, len(limits.speculations)),
        ):
            if column is not None and len(column) and not 0 <= np.min(column) <= np.max(column) < most:
                raise ValueError(
                    f"{name} goes up to {np.max(column)}, where a pool has {most} (counted from 0)"
                )

    @property
    def turns(self) -> Turns | None:
        """Who waits for whom; None where everybody comes at a time of their own."""
        if self.follows is None or self.wait_s is None or not np.any(self.follows >= 0):
            return None
        return Turns(self.follows, self.wait_s)

    def live(self, index: int, prompt: int, output: int, cached: int, goal: int, unit: int) -> LiveRequest:
        """The request, its prompt cut in prefix blocks of ``unit`` tokens (0: no prefix cache)."""
        hashes: Sequence[int] = ()
        if self.hashes is not None and unit:
            hashes, cached = self.hashes[index][: prompt // unit], 0
        return LiveRequest(
            index,
            prompt,
            output,
            cached,
            0,
            hashes,
            0 if self.priority is None else int(self.priority[index]),
            0 if self.rhythm is None else int(self.rhythm[index]),
            0.0 if self.extra_s is None else float(self.extra_s[index]),
            goal,
        )


Retry = Callable[[LiveRequest], None]
