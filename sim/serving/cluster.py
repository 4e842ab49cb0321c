"""A serving cluster as events: a router before aggregated replicas, or prefill pool, cache transfer, decode pool."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.serving.cluster_run import Books, ClusterRun, SimulationError, Verdict
from sim.serving.feed import Feed, rows_of
from sim.serving.live import LiveRequest, ReplicaCounters
from sim.serving.plan import ClusterPlan, Details, PoolPlan
from sim.serving.pool import Pool
from sim.serving.replica import Notify, Replica
from sim.serving.traffic import Requests

__all__ = ["ClusterPlan", "ClusterRun", "Details", "PoolPlan", "SimulationError", "Verdict", "simulate"]

_RESIDENT = -1  # index of requests that were there before the run
LOOKS = 100  # times that a run is looked at
Watch = Callable[[int, NDArray[np.float64]], bool]


def simulate(
    plan: ClusterPlan,
    requests: Requests,
    *,
    clients: int | None = None,
    think_s: float = 0.0,
    horizon_s: float | None = None,
    residents: Requests | None = None,
    details: Details | None = None,
    rng: np.random.Generator | None = None,
    watch: Watch | None = None,
) -> ClusterRun:
    """Serve requests and return what happened to each.

    Parameters
    ----------
    clients : int, optional
        Closed loop: so many clients send a request each at time 0 and the next one when the last is answered;
        arrival times of ``requests`` are ignored.
    think_s : float
        Pause of a client between answer and next request [s].
    horizon_s : float, optional
        Stop then; by default when all requests are done.
    residents : Requests, optional
        Already being decoded at time 0, with their prompt in the cache and one token out: a warm start. They are in
        no column of the result.
    details : Details, optional
        Hashes of prompts, priorities, kinds of speculation, work at admission, who waits for whose answer.
    rng : Generator, optional
        For failures; needed where a pool has them.
    watch : callable, optional
        Told from time to time how many requests are gone and the first-token times so far (NaN: not out yet); the run
        ends when it says so.

    Raises
    ------
    SimulationError
        When tokens, cache blocks or requests went missing, or Little's law fails.
    ValueError
        When the plan has failures and no random numbers, the details name classes the limits do not have, or requests
        wait for each other and for clients.
    """
    pools = [pool for pool in (plan.serve, plan.prefill) if pool is not None]
    if rng is None and any(pool.failures for pool in pools):
        raise ValueError("a plan with failures needs random numbers: give `rng`")
    details = details or Details()
    for pool in pools:
        details.check(pool.limits)
    if clients is not None and details.follows is not None:
        raise ValueError("requests that follow each other have a clock of their own: leave out `clients`")
    environment = simpy.Environment()
    run = _Run(plan, requests, environment, details, clients is not None, think_s, rng)
    if residents is not None:
        run.warm_start(residents)
    if run.feed is not None:
        run.units[0].entry.up[0].follow(run.feed)
    else:
        environment.process(run.open_loop() if clients is None else run.closed_loop(clients))
    until: float | simpy.Event | None = horizon_s
    if any(pool.restless for pool in pools):  # their events never end
        until = run.over if horizon_s is None else run.over | environment.timeout(horizon_s)
    if watch is None:
        environment.run(until=until)
    else:
        run.watched(watch, until)
    return run.result()


class _Unit:
    """Pools that belong together, with queues of their own."""

    def __init__(self, run: _Run, rng: np.random.Generator | None) -> None:
        plan, environment = run.plan, run.environment

        def pool(part: PoolPlan, first: Notify, finish: Notify, retry: Callable[[LiveRequest], None]) -> Pool:
            def make() -> Replica:
                return Replica(environment, part.cost, part.limits, first, finish, run.refused)

            return Pool(part, environment, make, retry, rng)

        if plan.prefill is None:
            self.serve = self.entry = pool(plan.serve, run.first_token, run.finished, run.again)
            self.prefill = None
        else:
            self.serve = pool(plan.serve, _nothing, run.finished, partial(run.decode_again, self))
            self.prefill = self.entry = pool(
                plan.prefill, run.first_token, partial(run.hand_over, self), run.again
            )
        self.submit = self.entry.submit

    @property
    def load(self) -> int:
        """Requests in its pools."""
        return self.serve.load + (self.prefill.load if self.prefill else 0)

    @property
    def unread(self) -> int:
        """Prompt tokens still to be read."""
        return self.entry.unread

    def known_tokens(self, hashes: tuple[int, ...]) -> int:
        """Prompt tokens that a prefix cache at its entry knows."""
        return self.entry.known_tokens(hashes)


class _Run:
    """Wires pools together."""

    def __init__(
        self,
        plan: ClusterPlan,
        requests: Requests,
        environment: simpy.Environment,
        details: Details,
        closed: bool,
        think_s: float,
        rng: np.random.Generator | None,
    ) -> None:
        self.plan, self.requests, self.environment = plan, requests, environment
        self.details, self.closed, self.think_s = details, closed, think_s
        count = len(requests)
        first, finish = np.full(count, np.nan), np.full(count, np.nan)
        self.turns = details.turns
        arrival = np.full(count, np.nan) if closed else requests.arrival_s
        if self.turns is not None:
            arrival = np.where(self.turns.waits, np.nan, arrival)
        entry = (plan.prefill or plan.serve).limits.prefix
        self.unit_tokens = entry.block_tokens if entry and details.hashes is not None else 0
        outcome = np.zeros(count, np.int32) if self.unit_tokens else requests.cached
        self.books = Books(arrival, first, finish, outcome)
        self.over = environment.event()
        self.sent = 0
        self.units = [_Unit(self, rng) for _ in range(plan.units)]
        self.enter = self.units[0].submit if plan.units == 1 else self.choose_unit
        self.serial = 0
        self.plain = details.plain
        self.feed = self.follows

    def warm_start(self, residents: Requests) -> None:
        """Put requests into the decode pool that are on their way since before the run."""
        columns = (residents.prompt.tolist(), residents.output.tolist())
        for number, (prompt, output) in enumerate(zip(*columns, strict=True)):
            if output > 1:
                self.books.warm_tokens += output - 1
                unit = self.units[number % len(self.units)]
                unit.serve.submit(LiveRequest(_RESIDENT, prompt, output, generated=1))

    @property
    def follows(self) -> Feed | None:
        """Arrivals for the only instance that they can go to, which need no event of their own; None where a router, a
        failure or a class of priority may look at each."""
        entry = self.plan.prefill or self.plan.serve
        alone = self.plan.units == 1 and entry.replicas == 1 and not entry.restless
        if self.closed or self.turns is not None or not alone or entry.limits.classes > 1:
            return None
        return Feed(self.requests, self.arrive_late)

    def arrive_late(self, index: int, prompt: int, output: int, cached: int, when: float) -> None:
        """A request that came a while ago reaches the instance that it waited for."""
        self.books.change(1, when)
        self.units[0].entry.up[0].enqueue(self.live(index, prompt, output, cached), when)

    def open_loop(self) -> Generator[simpy.Event, None, None]:
        """Send every request at its time, those that wait for another left out."""
        environment, turns = self.environment, self.turns
        for index, (arrival, prompt, output, cached) in rows_of(self.requests):
            if turns is not None and turns.waits[index]:
                continue
            delay = arrival - environment.now
            if delay > 0:
                yield environment.timeout(delay)
            self.arrive(index, prompt, output, cached)

    def closed_loop(self, clients: int) -> Generator[simpy.Event, None, None]:
        """Send the first request of every client."""
        for _ in range(min(clients, len(self.requests))):
            self.send_next()
        yield self.environment.timeout(0)

    def send_next(self) -> None:
        """The next request of a client."""
        if self.sent < len(self.requests):
            self.sent += 1
            self.send_now(self.sent - 1)

    def send_now(self, index: int) -> None:
        """A request whose time nobody knew before."""
        self.books.arrival[index] = self.environment.now
        row = (self.requests.prompt[index], self.requests.output[index], self.requests.cached[index])
        self.arrive(index, *(int(value) for value in row))

    def watched(self, watch: Watch, until: float | simpy.Event | None) -> None:
        """Run in stretches and ask after each whether to go on."""
        environment, arrival = self.environment, self.requests.arrival_s
        last = float("inf") if until is None or isinstance(until, simpy.Event) else until
        stretch = 1.0 if self.closed else max(float(arrival[-1] - arrival[0]) / LOOKS, 1e-9)
        while environment.peek() < last and not self.over.triggered:
            environment.run(until=min(max(environment.now, environment.peek()) + stretch, last))
            if watch(self.books.gone, self.books.first - self.books.arrival):
                return
            if self.closed and self.books.gone < len(self.requests) / LOOKS:
                stretch *= 2

    def arrive(self, index: int, prompt: int, output: int, cached: int) -> None:
        self.books.change(1, self.environment.now)
        self.enter(self.live(index, prompt, output, cached))

    def live(self, index: int, prompt: int, output: int, cached: int) -> LiveRequest:
        """The request as it reaches the entry of a unit."""
        here = output if self.plan.prefill is None else 1
        if self.plain:
            return LiveRequest(index, prompt, here, cached, goal=output)
        return self.details.live(index, prompt, here, cached, output, self.unit_tokens)

    def again(self, request: LiveRequest) -> None:
        """To the entry of a unit: new requests, and those that lost their cache."""
        self.enter(request)

    def choose_unit(self, request: LiveRequest) -> None:
        """Let the plan say which unit serves it."""
        self.plan.assign(self.units, self.serial, request).submit(request)
        self.serial += 1

    def first_token(self, request: LiveRequest, now: float) -> None:
        self.books.first[request.index] = now

    def hand_over(self, unit: _Unit, request: LiveRequest, now: float) -> None:
        """Prompt read: send its cache to the decode pool, unless one token was all."""
        if request.generated >= request.goal:
            self.finished(request, now)
            return
        waiting = LiveRequest(
            request.index, request.prompt, request.goal, 0, request.generated, request.hashes,
            request.priority, request.rhythm, request.extra_s, request.goal,
        )  # fmt: skip
        waiting.hit = request.hit
        self.send(unit, waiting)

    def send(self, unit: _Unit, request: LiveRequest) -> None:
        """Its cache goes over the network."""
        delay = self.plan.transfer_s + self.plan.transfer_token_s * request.prompt
        event = self.environment.timeout(delay)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: unit.serve.submit(request))

    def decode_again(self, unit: _Unit, request: LiveRequest) -> None:
        """A decode replica lost a request, or gave it back: its prompt is read again, unless its cache is still there."""
        if not request.prefill_left:
            self.send(unit, request)
            return
        request.output = request.generated + 1
        self.again(request)

    def finished(self, request: LiveRequest, now: float) -> None:
        if request.index == _RESIDENT:
            return
        self.books.finish[request.index] = now
        if self.unit_tokens:
            self.books.cached[request.index] = max(request.hit, 0)
        self.leave(request.index, now)

    def refused(self, request: LiveRequest, now: float) -> None:
        if request.index == _RESIDENT:
            self.books.warm_tokens -= request.goal - request.generated
            return
        self.books.refuse(request, 0 if self.unit_tokens else int(self.requests.cached[request.index]), now)
        self.leave(request.index, now)

    def leave(self, index: int, now: float) -> None:
        books = self.books
        books.change(-1, now)
        books.gone += 1
        if books.gone == len(self.requests):
            self.over.succeed()
        if self.turns is not None:
            self.turns.send_after(index, self.environment, self.send_now)
        if not self.closed:
            return
        if self.think_s <= 0:
            self.send_next()
            return
        event = self.environment.timeout(self.think_s)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: self.send_next())

    def result(self) -> ClusterRun:
        books, requests, now = self.books, self.requests, self.environment.now
        if self.feed is not None:
            self.feed.release(now)  # who came since the last boundary
        books.change(0, now)
        asked = Requests(books.arrival, requests.prompt, requests.output, books.cached)
        start = float(np.nanmin(books.arrival)) if len(asked) and not self.closed else 0.0
        span = max(now - start, 1e-300)
        pools = {"serve": [unit.serve for unit in self.units]}
        if self.plan.prefill is not None:
            pools["prefill"] = [unit.prefill for unit in self.units if unit.prefill]
        totals = {name: _sum(each) for name, each in pools.items()}
        serve, prefill = totals["serve"], totals.get("prefill", ReplicaCounters())
        books.check_little(asked.arrival_s, now)
        stated = np.zeros_like(books.cached) if self.unit_tokens else requests.cached
        books.check_tokens(requests, stated, serve + prefill)
        self.check_blocks()
        return ClusterRun(
            self.plan, asked, books.first, books.finish, span, books.area / span, serve, prefill,
            {name: sum(pool.chip_s() for pool in each) for name, each in pools.items()},
            {name: each[0].timeline for name, each in pools.items()},
        )  # fmt: skip

    def check_blocks(self) -> None:
        """When all have left and no resident can be there, no cache block is held."""
        if self.books.gone < len(self.requests) or self.books.warm_tokens:
            return
        pools = [pool for unit in self.units for pool in (unit.serve, unit.prefill) if pool]
        if not all(pool.all_empty() for pool in pools):
            raise SimulationError("all requests have left and cache blocks are still held")


def _sum(pools: list[Pool]) -> ReplicaCounters:
    return sum((pool.counters() for pool in pools), ReplicaCounters())


def _nothing(request: LiveRequest, now: float) -> None:
    """A decode replica that reads a prompt again after a preemption makes no first token."""
