"""What came of a run: columns per request, sums, and the checks of its books."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.serving.live import LiveRequest, ReplicaCounters
from sim.serving.plan import ClusterPlan
from sim.serving.traffic import Requests
from sim.units import HOUR

Column: TypeAlias = NDArray[np.float64]
Verdict = Literal["stable", "backlogged", "overloaded"]


class SimulationError(RuntimeError):
    """The books of a run do not balance: a defect of the engine, not of the input."""


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """Columns per request and sums over the run.

    Attributes
    ----------
    requests : Requests
        What was asked, with the arrival times that came about (NaN for those never sent) and, behind a prefix cache, the
        prompt tokens that were found in it.
    first_token_s, finish_s : ndarray (n,)
        Times [s]; NaN for requests refused or not done at the horizon.
    span_s : float
        From the first arrival to the last event [s].
    mean_in_system : float
        Requests in the system, averaged over the span.
    serve, prefill : ReplicaCounters
        Summed over the replicas of a pool.
    chip_s : dict of pool to float
        Chips that were held, over time: ordered and not yet given back [chip s].
    timeline : dict of pool to list of (time [s], int)
        Replicas up in the first unit, at each change.
    """

    plan: ClusterPlan
    requests: Requests
    first_token_s: Column
    finish_s: Column
    span_s: float
    mean_in_system: float
    serve: ReplicaCounters
    prefill: ReplicaCounters
    chip_s: dict[str, float] = field(default_factory=dict)
    timeline: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

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

    @property
    def chip_hours(self) -> float:
        """Chips held over time, all pools [chip h]."""
        return sum(self.chip_s.values()) / HOUR

    def hit_rate(self) -> float:
        """Share of the prompt tokens of finished requests that were found in the cache [1]."""
        asked = self.requests.prompt[self.done].sum()
        return float(self.requests.cached[self.done].sum() / asked) if asked else 0.0

    def part(self, rows: NDArray[np.bool_]) -> ClusterRun:
        """The columns of some requests (of a mode, of a class); sums stay those of the run."""
        asked = self.requests
        chosen = Requests(asked.arrival_s[rows], asked.prompt[rows], asked.output[rows], asked.cached[rows])
        return replace(
            self, requests=chosen, first_token_s=self.first_token_s[rows], finish_s=self.finish_s[rows]
        )

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
        """Share of the span that the replicas of each pool were busy, over the replicas planned."""
        pools = {"serve": (self.serve, self.plan.serve), "prefill": (self.prefill, self.plan.prefill)}
        return {
            name: counters.busy_s / (pool.replicas * self.plan.units * self.span_s)
            for name, (counters, pool) in pools.items()
            if pool is not None
        }

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
            passed = np.ptp(arrival)
            slope = np.polyfit(arrival - arrival[0], wait, 1)[0] if passed > 0 else 0.0
            if slope > 0.02 and slope * passed > ttft_s:
                return "overloaded"
        sent = np.isfinite(self.requests.arrival_s)
        in_time = np.mean(np.nan_to_num(self.ttft_s[sent], nan=np.inf) <= ttft_s)
        return "stable" if in_time >= percentile else "backlogged"


@dataclass(slots=True)
class Books:
    """State of a run and what it has counted.

    Attributes
    ----------
    present, area : int, float
        Requests in the system, and their integral over time [s].
    gone : int
        Requests that have left, refused ones included.
    refused : dict of int to float
        Rows that a replica can never hold, and when it said so [s].
    refused_tokens, refused_prompts : int
        Tokens made for them, and tokens of their prompts read or found, before that [token].
    warm_tokens : int
        Tokens that requests from before the run still have to get [token].
    """

    arrival: Column
    first: Column
    finish: Column
    cached: NDArray[np.int32]
    present: int = 0
    area: float = 0.0
    last: float = 0.0
    gone: int = 0
    refused: dict[int, float] = field(default_factory=dict)
    refused_tokens: int = 0
    refused_prompts: int = 0
    warm_tokens: int = 0

    def refuse(self, request: LiveRequest, stated: int, now: float) -> None:
        """A request turns out to be too long, before its prompt was read or, in a decode pool, after."""
        self.refused[request.index] = now
        self.first[request.index] = np.nan
        self.refused_tokens += request.generated
        self.refused_prompts += request.prompt - stated - request.prefill_left

    def change(self, by: int, now: float) -> None:
        """One request more or less from now on."""
        self.area += self.present * (now - self.last)
        self.last = now
        self.present += by

    def check_little(self, arrival_s: Column, now: float) -> None:
        """L = lambda W, exactly: the area under the number in the system is the sum of the times in it.

        Raises
        ------
        SimulationError
            When it is not.
        """
        ends = np.where(np.isfinite(self.finish), self.finish, now)
        ends[list(self.refused)] = list(self.refused.values())
        inside = float(np.sum((ends - arrival_s)[arrival_s <= now]))
        if abs(inside - self.area) > 1e-6 * max(inside, self.area, 1e-9):
            raise SimulationError(f"Little's law fails: {self.area:.9g} against {inside:.9g} request-seconds")

    def check_tokens(self, requests: Requests, stated: NDArray[np.int32], total: ReplicaCounters) -> None:
        """Every token of a finished run was made once; every prompt token was read or found, and again after a loss.

        Raises
        ------
        SimulationError
            When one is missing or too many.
        """
        kept = np.ones(len(requests), bool)
        kept[list(self.refused)] = False
        if not np.all(np.isfinite(self.finish[kept])):
            return
        asked = int(requests.output[kept].sum()) + self.warm_tokens + self.refused_tokens
        if total.tokens != asked:
            raise SimulationError(f"{total.tokens} tokens were made and {asked} were asked for")
        read = total.prefill_tokens + total.hit_tokens - total.reread_tokens
        prompts = int(requests.prompt[kept].sum()) - int(stated[kept].sum()) + self.refused_prompts
        if read != prompts:
            raise SimulationError(f"{read} prompt tokens were read or found and {prompts} had to be")
