"""A serving cluster as events: a router before aggregated replicas, or prefill pool, cache transfer, decode pool."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.serving.replica import LiveRequest, Replica, ReplicaCounters
from sim.serving.routing import Route, least_loaded
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests

Column = NDArray[np.float64]
Verdict = Literal["stable", "backlogged", "overloaded"]
_RESIDENT = -1  # index of requests that were there before the run
_CHUNK = 65536  # requests turned into Python numbers at a time: keeps ten million of them within a gigabyte


class SimulationError(RuntimeError):
    """The books of a run do not balance: a defect of the engine, not of the input."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Identical replicas behind one router."""

    cost: StepCost
    limits: ReplicaLimits
    replicas: int
    route: Route = least_loaded


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
    """

    serve: PoolPlan
    prefill: PoolPlan | None = None
    transfer_s: float = 0.0
    transfer_token_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """Columns per request and sums over the run.

    Attributes
    ----------
    requests : Requests
        What was asked, with the arrival times that came about; NaN for those never sent.
    first_token_s, finish_s : ndarray (n,)
        Times [s]; NaN for requests refused or not done at the horizon.
    span_s : float
        From the first arrival to the last event [s].
    mean_in_system : float
        Requests in the system, averaged over the span.
    serve, prefill : ReplicaCounters
        Summed over the replicas of a pool.
    """

    plan: ClusterPlan
    requests: Requests
    first_token_s: Column
    finish_s: Column
    span_s: float
    mean_in_system: float
    serve: ReplicaCounters
    prefill: ReplicaCounters

    @property
    def done(self) -> NDArray[np.bool_]:
        """Requests that were finished."""
        return np.isfinite(self.finish_s)

    @property
    def ttft_s(self) -> Column:
        """Arrival to first token, as the client sees it [s]."""
        return self.first_token_s - self.requests.arrival_s

    @property
    def e2e_s(self) -> Column:
        """Arrival to last token [s]."""
        return self.finish_s - self.requests.arrival_s

    @property
    def tpot_s(self) -> Column:
        """Mean time per token after the first [s]; NaN for single-token answers."""
        tokens = self.requests.output - 1
        return np.where(tokens > 0, (self.finish_s - self.first_token_s) / np.maximum(tokens, 1), np.nan)

    def output_tokens_per_s(self) -> float:
        """Tokens of finished requests over the span [token/s]."""
        return float(self.requests.output[self.done].sum() / self.span_s)

    def met(self, ttft_s: float, tpot_s: float) -> NDArray[np.bool_]:
        """Requests that kept both promises (single-token answers have only the first)."""
        on_pace = (self.tpot_s <= tpot_s) | (self.requests.output == 1)
        return self.done & (self.ttft_s <= ttft_s) & on_pace

    def goodput(self, ttft_s: float, tpot_s: float) -> float:
        """Requests per second that kept both promises [1/s]."""
        return float(self.met(ttft_s, tpot_s).sum() / self.span_s)

    def percentiles(self, points: tuple[float, ...] = (50, 90, 99)) -> dict[str, dict[float, float]]:
        """Percentiles of TTFT, TPOT and end-to-end time over finished requests [s]."""
        columns = {"ttft_s": self.ttft_s, "tpot_s": self.tpot_s, "e2e_s": self.e2e_s}
        return {
            name: dict(zip(points, np.nanpercentile(column[self.done], points).tolist(), strict=True))
            for name, column in columns.items()
        }

    def utilisation(self) -> dict[str, float]:
        """Share of the span that the replicas of each pool were busy."""
        shares = {"serve": self.serve.busy_s / (self.plan.serve.replicas * self.span_s)}
        if self.plan.prefill is not None:
            shares["prefill"] = self.prefill.busy_s / (self.plan.prefill.replicas * self.span_s)
        return shares

    def verdict(self, ttft_s: float, percentile: float = 0.9) -> Verdict:
        """Whether the cluster keeps up.

        Notes
        -----
        Overloaded: over the second half of the arrivals the first token comes later and later, by more than
        2 % of the time that passes and by more than the promise. Backlogged: it does not run away, but fewer
        requests than promised get their first token in time.
        """
        order = np.flatnonzero(np.isfinite(self.first_token_s))
        late = order[len(order) // 2 :]
        if len(late) > 10:
            arrival, wait = self.requests.arrival_s[late], self.ttft_s[late]
            passed = arrival[-1] - arrival[0]
            slope = np.polyfit(arrival - arrival[0], wait, 1)[0] if passed > 0 else 0.0
            if slope > 0.02 and slope * passed > ttft_s:
                return "overloaded"
        in_time = np.mean(np.nan_to_num(self.ttft_s, nan=np.inf) <= ttft_s)
        return "stable" if in_time >= percentile else "backlogged"


@dataclass(slots=True)
class _Books:
    """State of a run and what it has counted."""

    environment: simpy.Environment
    arrival: Column
    first: Column
    finish: Column
    present: int = 0
    area: float = 0.0
    last: float = 0.0

    def change(self, by: int) -> None:
        now = self.environment.now
        self.area += self.present * (now - self.last)
        self.last = now
        self.present += by


@dataclass(slots=True)
class _Pool:
    plan: PoolPlan
    replicas: list[Replica] = field(default_factory=list)
    serial: int = 0

    def submit(self, request: LiveRequest) -> None:
        if len(self.replicas) == 1:
            self.replicas[0].submit(request)
            return
        self.plan.route(self.replicas, self.serial).submit(request)
        self.serial += 1

    def counters(self) -> ReplicaCounters:
        total = ReplicaCounters()
        for replica in self.replicas:
            total = total + replica.counters
        return total


def simulate(
    plan: ClusterPlan,
    requests: Requests,
    *,
    clients: int | None = None,
    think_s: float = 0.0,
    horizon_s: float | None = None,
    residents: Requests | None = None,
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

    Raises
    ------
    SimulationError
        When tokens or requests went missing, or Little's law fails.
    """
    environment = simpy.Environment()
    count = len(requests)
    first, finish = np.full(count, np.nan), np.full(count, np.nan)
    arrival = requests.arrival_s if clients is None else np.full(count, np.nan)
    books = _Books(environment, arrival, first, finish)
    run = _Run(plan, requests, books, clients is not None, think_s)
    if residents is not None:
        run.warm_start(residents)
    environment.process(run.open_loop() if clients is None else run.closed_loop(clients))
    environment.run(until=horizon_s)
    books.change(0)
    return run.result()


class _Run:
    """Wires pools together."""

    def __init__(
        self, plan: ClusterPlan, requests: Requests, books: _Books, closed: bool, think_s: float
    ) -> None:
        self.plan, self.requests, self.books, self.closed, self.think_s = (
            plan,
            requests,
            books,
            closed,
            think_s,
        )
        self.environment = books.environment
        self.sent = 0
        self.warm_tokens = 0
        self.serve = _Pool(plan.serve)
        self.prefill = _Pool(plan.prefill) if plan.prefill else None
        entry = self.first_token if self.prefill is None else _nothing
        self.serve.replicas += [
            self.replica(plan.serve, entry, self.finished) for _ in range(plan.serve.replicas)
        ]
        if self.prefill is not None:
            assert plan.prefill is not None
            self.prefill.replicas += [
                self.replica(plan.prefill, self.first_token, self.hand_over)
                for _ in range(plan.prefill.replicas)
            ]

    def replica(self, pool: PoolPlan, on_first, on_finish) -> Replica:  # type: ignore[no-untyped-def]
        return Replica(self.environment, pool.cost, pool.limits, on_first, on_finish, self.refused)

    def warm_start(self, residents: Requests) -> None:
        """Put requests into the decode pool that are on their way since before the run."""
        columns = (residents.prompt.tolist(), residents.output.tolist())
        for prompt, output in zip(*columns, strict=True):
            if output > 1:
                self.warm_tokens += output - 1
                self.serve.submit(LiveRequest(_RESIDENT, prompt, output, generated=1))

    def open_loop(self) -> Generator[simpy.Event, None, None]:
        """Send every request at its time."""
        environment, requests = self.environment, self.requests
        for low in range(0, len(requests), _CHUNK):
            part = slice(low, low + _CHUNK)
            rows = zip(
                requests.arrival_s[part].tolist(), requests.prompt[part].tolist(), requests.output[part].tolist(),
                requests.cached[part].tolist(), strict=True,
            )  # fmt: skip
            for index, (arrival, prompt, output, cached) in enumerate(rows, start=low):
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
        index = self.sent
        if index >= len(self.requests):
            return
        self.sent += 1
        self.books.arrival[index] = self.environment.now
        row = (self.requests.prompt[index], self.requests.output[index], self.requests.cached[index])
        self.arrive(index, *(int(value) for value in row))

    def arrive(self, index: int, prompt: int, output: int, cached: int) -> None:
        self.books.change(1)
        if self.prefill is None:
            self.serve.submit(LiveRequest(index, prompt, output, cached))
        else:
            self.prefill.submit(LiveRequest(index, prompt, 1, cached))

    def first_token(self, request: LiveRequest, now: float) -> None:
        self.books.first[request.index] = now

    def hand_over(self, request: LiveRequest, now: float) -> None:
        """Prompt read: send its cache to the decode pool, unless one token was all."""
        output = int(self.requests.output[request.index])
        if output == 1:
            self.finished(request, now)
            return
        waiting = LiveRequest(request.index, request.prompt, output, 0, generated=1)
        delay = self.plan.transfer_s + self.plan.transfer_token_s * request.prompt
        event = self.environment.timeout(delay)
        assert event.callbacks is not None
        event.callbacks.append(partial(self.arrived, waiting))

    def arrived(self, request: LiveRequest, event: simpy.Event) -> None:
        self.serve.submit(request)

    def finished(self, request: LiveRequest, now: float) -> None:
        if request.index == _RESIDENT:
            return
        self.books.finish[request.index] = now
        self.leave()

    def refused(self, request: LiveRequest, now: float) -> None:
        if request.index != _RESIDENT:
            self.leave()

    def leave(self) -> None:
        self.books.change(-1)
        if not self.closed:
            return
        if self.think_s <= 0:
            self.send_next()
            return
        event = self.environment.timeout(self.think_s)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: self.send_next())

    def result(self) -> ClusterRun:
        books, requests = self.books, self.requests
        asked = (
            Requests(books.arrival, requests.prompt, requests.output, requests.cached)
            if self.closed
            else requests
        )
        start = float(asked.arrival_s[0]) if len(asked) and not self.closed else 0.0
        span = max(self.environment.now - start, 1e-300)
        prefill = self.prefill.counters() if self.prefill else ReplicaCounters()
        run = ClusterRun(
            self.plan,
            asked,
            books.first,
            books.finish,
            span,
            books.area / span,
            self.serve.counters(),
            prefill,
        )
        _check_little(run, books)
        _check_tokens(run, self.warm_tokens)
        return run


def _nothing(request: LiveRequest, now: float) -> None:
    """A decode replica that reads a prompt again after a preemption makes no first token."""


def _check_little(run: ClusterRun, books: _Books) -> None:
    """L = lambda W, exactly: the area under the number in the system is the sum of the times in it."""
    now = books.environment.now
    refused = run.serve.refused + run.prefill.refused
    if refused or len(run.requests) == 0:
        return  # who was refused left at once and has no finish time
    arrived = run.requests.arrival_s <= now
    ends = np.where(run.done, run.finish_s, now)
    inside = float(np.sum((ends - run.requests.arrival_s)[arrived]))
    if abs(inside - books.area) > 1e-6 * max(inside, books.area, 1e-9):
        raise SimulationError(f"Little's law fails: {books.area:.9g} against {inside:.9g} request-seconds")


def _check_tokens(run: ClusterRun, warm: int) -> None:
    """Every token of a finished run was made once, and every prompt token read once more per preemption."""
    refused = run.serve.refused + run.prefill.refused
    if refused or not np.all(run.done):
        return
    made = run.serve.tokens + run.prefill.tokens
    asked = int(run.requests.output.sum()) + warm
    if made != asked:
        raise SimulationError(f"{made} tokens were made and {asked} were asked for")
    read = run.serve.prefill_tokens - run.serve.reread_tokens + run.prefill.prefill_tokens
    read -= run.prefill.reread_tokens
    prompts = int(run.requests.prompt.sum()) - int(run.requests.cached.sum())
    if read != prompts:
        raise SimulationError(f"{read} prompt tokens were read and {prompts} had to be")
