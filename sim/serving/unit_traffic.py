"""Requests that a unit is played with: drawn or recorded, one by one or in sessions, and who is there when they begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.serving.cluster_run import ClusterRun
from sim.serving.job import ServingJob
from sim.serving.plan import Details
from sim.serving.replay import replayed, replayed_sessions, residents_of
from sim.serving.sessions import sessions_of
from sim.serving.step_costs import scalar
from sim.serving.traffic import Requests, Trace, draw_requests


@dataclass(frozen=True, slots=True)
class Pace:
    """What an answer is expected to take: first token and each further one [s]."""

    first_s: float
    token_s: float

    def answer_s(self, output: NDArray[np.int32]) -> NDArray[np.float64]:
        """Time of whole answers [s]."""
        return np.asarray(self.first_s + self.token_s * (output - 1.0))


def measured_pace(run: ClusterRun) -> Pace:
    """Mean pace of the answers of a run."""
    written = run.requests.output[run.done] - 1.0
    spent = (run.finish_s - run.first_token_s)[run.done]
    return Pace(float(np.mean(run.ttft_s[run.done])), float(spent.sum() / max(written.sum(), 1.0)))


def unit_requests(
    job: ServingJob, rate: float, count: int, pace: Pace, rng: np.random.Generator, trace: Trace | None
) -> tuple[Requests, Details | None]:
    """So many requests, at ``rate`` [1/s] where the traffic is at its peak, and who waits for whom.

    Sessions of a trace keep the clock of their tools; other traces are stretched.
    """
    traffic = job.traffic
    hit = scalar(traffic.prefix_hit)
    sessions = None if trace is None else sessions_of(trace)
    if sessions is not None:
        chosen = replayed_sessions(sessions, rate, count, pace.answer_s, rng)
        return chosen.requests, Details(follows=chosen.follows, wait_s=chosen.wait_s)
    if trace is not None:
        return replayed(trace, rate, count, hit, rng), None
    mean = rate * scalar(traffic.pattern.mean_over_peak)
    pattern = traffic.pattern.within(count / mean)
    arrivals = pattern.arrivals(mean, scalar(traffic.burstiness), count, rng)
    return draw_requests(arrivals, traffic.prompt, traffic.output, hit, rng), None


def unit_residents(job: ServingJob, count: int, rng: np.random.Generator, trace: Trace | None) -> Requests:
    """Requests found in decode when a run begins: long answers more often, each somewhere on its way."""
    traffic = job.traffic
    count = int(count * scalar(traffic.pattern.start_over_peak))
    if trace is not None:
        prompt, output = residents_of(trace, count, rng)
    else:
        answers = traffic.output.draw(20 * count + 100, rng)
        output = rng.choice(answers, count, p=answers / answers.sum())
        prompt = traffic.prompt.draw(count, rng)
    made = (output * rng.random(count)).astype(np.int32)
    return Requests(np.zeros(count), prompt + made, np.maximum(output - made, 1), np.zeros(count, np.int32))
