"""A pool in a run: which replicas are up, and how they fail, are drained, start and stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import simpy

from sim.serving.autoscale import Autoscale, PoolState
from sim.serving.live import LiveRequest, ReplicaCounters
from sim.serving.plan import PoolPlan, Retry
from sim.serving.replica import Replica

Life = Generator[simpy.Event, None, None]


@dataclass(slots=True, eq=False)
class _Member:
    """A replica and the time for which its chips are paid."""

    replica: Replica
    since: float
    until: float | None = None


class Pool:
    """Replicas behind one router.

    Parameters
    ----------
    make : callable
        A new replica.
    retry : callable
        Told of each request that a replica lost or gave back.
    rng : Generator, optional
        For failures.
    """

    def __init__(
        self,
        plan: PoolPlan,
        environment: simpy.Environment,
        make: Callable[[], Replica],
        retry: Retry,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.plan, self.environment, self._make, self._retry, self._rng = plan, environment, make, retry, rng
        self.up: list[Replica] = []
        self.timeline: list[tuple[float, int]] = []
        self._members: list[_Member] = []
        self._limbo: deque[LiveRequest] = deque()  # came when nothing was up
        self._starting = 0
        self._serial = 0
        for _ in range(plan.replicas):
            self._join(self._order())
        if plan.maintenance is not None:
            environment.process(self._maintain(plan.maintenance.every_s, plan.maintenance.lasts_s))
        if plan.autoscale is not None:
            environment.process(self._scale(plan.autoscale))

    @property
    def load(self) -> int:
        """Requests waiting or being served."""
        return sum(replica.load for replica in self.up) + len(self._limbo)

    @property
    def unread(self) -> int:
        """Prompt tokens still to be read."""
        return sum(replica.unread for replica in self.up)

    def known_tokens(self, hashes: tuple[int, ...]) -> int:
        """Prompt tokens that the best replica's prefix cache knows."""
        return max((replica.known_tokens(hashes) for replica in self.up), default=0)

    def submit(self, request: LiveRequest) -> None:
        """Route a request; it waits here while nothing is up."""
        up = self.up
        if len(up) == 1:
            up[0].submit(request)
        elif up:
            self.plan.route(up, self._serial, request).submit(request)
            self._serial += 1
        else:
            self._limbo.append(request)

    def counters(self) -> ReplicaCounters:
        """Summed over all replicas there ever were."""
        return sum((member.replica.counters for member in self._members), ReplicaCounters())

    def chip_s(self) -> float:
        """Chip-seconds that were paid by now."""
        now = self.environment.now
        held = sum((now if each.until is None else each.until) - each.since for each in self._members)
        return held * self.plan.chips

    def all_empty(self) -> bool:
        """Every request, token and block has left."""
        return not self._limbo and all(member.replica.empty for member in self._members)

    def _order(self) -> _Member:
        member = _Member(self._make(), self.environment.now)
        self._members.append(member)
        return member

    def _join(self, member: _Member) -> None:
        """It serves from now on."""
        self._put_up(member.replica)
        if self.plan.failures is not None:
            self.environment.process(
                self._live(member, self.plan.failures.mean_s, self.plan.failures.repair_s)
            )

    def _put_up(self, replica: Replica) -> None:
        self.up.append(replica)
        self._note()
        for _ in range(len(self._limbo)):
            self.submit(self._limbo.popleft())

    def _take_down(self, replica: Replica) -> None:
        if replica in self.up:
            self.up.remove(replica)
            self._note()

    def _note(self) -> None:
        self.timeline.append((self.environment.now, len(self.up)))

    def _live(self, member: _Member, mean_s: float, repair_s: float) -> Life:
        """Breakdown and repair, until it is given up."""
        assert self._rng is not None
        replica = member.replica
        while True:
            yield self.environment.timeout(self._rng.exponential(mean_s))
            if member.until is not None:
                return
            leaving = replica.on_empty
            if replica not in self.up and leaving is None:
                continue  # it is being renewed: nothing runs that could break
            self._take_down(replica)
            for request in replica.fail():
                self._retry(request)
            if leaving is not None:
                leaving()  # it was being drained: nothing is left to wait for
                continue
            yield self.environment.timeout(repair_s)
            self._put_up(replica)

    def _drain(self, replica: Replica) -> simpy.Event:
        """No new requests; the event happens when the last one has left."""
        gone = self.environment.event()

        def left() -> None:
            replica.on_empty = None
            gone.succeed()

        self._take_down(replica)
        replica.on_empty = left
        for request in replica.drain():
            self._retry(request)
        if not replica.load:
            left()
        return gone

    def _maintain(self, every_s: float, lasts_s: float) -> Life:
        """Renew the replica whose turn it is."""
        turn = 0
        while True:
            yield self.environment.timeout(every_s)
            candidates = [each.replica for each in self._members if each.replica in self.up]
            if len(candidates) < 2:
                continue  # never the last one
            self.environment.process(self._renew(candidates[turn % len(candidates)], lasts_s))
            turn += 1

    def _renew(self, replica: Replica, lasts_s: float) -> Life:
        yield self._drain(replica)
        yield self.environment.timeout(lasts_s)
        replica.forget()
        self._put_up(replica)

    def _scale(self, rule: Autoscale) -> Life:
        """Ask the rule every period."""
        places = self.plan.limits.batch
        while True:
            before, worked = self.load, self.counters().busy_s
            yield self.environment.timeout(rule.period_s)
            busy = (self.counters().busy_s - worked) / (rule.period_s * max(len(self.up), 1))
            in_flight = (before + self.load) / 2
            state = PoolState(self.environment.now, len(self.up), self._starting, in_flight, places, busy)
            missing = rule.wanted(state) - len(self.up) - self._starting
            for _ in range(missing):
                self._starting += 1
                self.environment.process(self._start(rule.start_s))
            for _ in range(min(-missing, len(self.up) - 1)):
                self.environment.process(self._stop(min(self.up, key=lambda each: each.load)))

    def _start(self, start_s: float) -> Life:
        member = self._order()
        yield self.environment.timeout(start_s)
        self._starting -= 1
        self._join(member)

    def _stop(self, replica: Replica) -> Life:
        member = next(each for each in self._members if each.replica is replica)
        yield self._drain(replica)
        member.until = self.environment.now
