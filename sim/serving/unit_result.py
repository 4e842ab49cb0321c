"""What came of a unit that was played request by request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.serving.cluster_run import ClusterRun, Verdict

Column = NDArray[np.float64]
SETTLED = 0.2  # first part of the arrivals, whose latency does not count


@dataclass(frozen=True, slots=True)
class UnitRun:
    """What the events say, beside what the closed form said.

    Attributes
    ----------
    run : ClusterRun
        Every request.
    verdict : Verdict
        Whether the unit keeps up with the load the closed form gave it.
    checks : tuple of (str, float, float)
        Quantity with unit, closed form, events.
    percentile : float
        Share of the requests that the promise is for [1].
    outside_s : float
        Time to first token outside the engine, for every request [s].
    """

    run: ClusterRun
    verdict: Verdict
    checks: tuple[tuple[str, float, float], ...]
    percentile: float
    outside_s: float = 0.0

    def keeps(self, ttft_s: float, tpot_s: float) -> bool:
        """Whether enough requests kept each promise once the run had settled, and the queue did not run away."""
        first, token = self.latency()
        return self.verdict != "overloaded" and first <= ttft_s and token <= tpot_s

    def latency(self) -> tuple[float, float]:
        """Time to first token and per token at the promised percentile, after the run has settled [s].

        A first token that was not out at the end of the run counts with the time it has waited by then.
        """
        first, token, _ = self.settled()
        share = 100 * self.percentile
        # Nobody has an answer yet: the last one may take for ever.
        paced = float(np.nanpercentile(token, share)) if np.isfinite(token).any() else float("inf")
        return float(np.percentile(first, share)), paced

    def settled(self) -> tuple[Column, Column, Column]:
        """Time to first token, per token and of the whole answer, as users see them, once the run has settled [s]."""
        run = self.run
        requests = run.requests
        # The user sees the first token once the cache has arrived, from the instance that makes the others.
        sending = run.plan.transfer_s + run.plan.transfer_token_s * requests.prompt
        sent = np.isfinite(requests.arrival_s)  # rounds of a session may still wait for others
        waited = float(np.max(requests.arrival_s[sent])) - requests.arrival_s
        first = np.where(np.isnan(run.ttft_s), waited, run.ttft_s + sending) + self.outside_s
        others = np.where(requests.output > 1, requests.output - 1.0, np.nan)
        token = (run.finish_s - run.first_token_s - sending) / others
        chosen = sent & (np.arange(len(requests)) >= int(SETTLED * len(requests)))
        return first[chosen], token[chosen], run.e2e_s[chosen] + self.outside_s
