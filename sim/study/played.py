"""The unit of a capacity question played request by request, at the median of all inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.profiles.messages import InputError, Problem
from sim.resolve import MEDIAN
from sim.serving.cluster import Watch
from sim.serving.precision import PercentileEstimate, percentile_estimate, precise_enough
from sim.serving.results import Columns, request_columns
from sim.serving.unit_run import play_unit
from sim.study.capacity_question import CapacityQuestion
from sim.study.events import LOAD
from sim.study.serving import plan_serving, run_serving

LONGEST = 1_000_000  # requests of a run that is to reach a precision
USUAL = 60_000  # requests of a run without one


@dataclass(frozen=True, slots=True)
class PlayedUnit:
    """A run of one unit.

    Attributes
    ----------
    columns : dict of str to ndarray
        One row per request: :func:`sim.serving.results.request_columns`.
    ttft_p99 : PercentileEstimate
        With its interval.
    load : float
        Of the highest that the closed form allows [1].
    reached : bool
        Whether the precision asked for was reached.
    """

    columns: Columns
    ttft_p99: PercentileEstimate
    load: float
    reached: bool


def play_question(
    question: CapacityQuestion, precision: float | None = None, watch: Watch | None = None
) -> PlayedUnit:
    """Play the unit at ``LOAD``.

    Parameters
    ----------
    precision : float, optional
        End the run when the half-width of the 95 % interval of the 99th percentile of the time to first token is this
        share of it.
    watch : callable, optional
        Told how many requests are gone, for a bar of progress; its answer is not read.

    Raises
    ------
    InputError
        When nothing is served within the promise, or the precision is no share.
    """
    if precision is not None and not 0 < precision < 1:
        raise InputError(
            [Problem(f"--precision: read {precision:g}, where a share such as 0.05 is expected")]
        )
    median = run_serving(plan_serving(question.side, question.task), MEDIAN)
    if not median.capacity.requests_per_s[0] > 0:
        raise InputError([Problem(f"there is nothing to play: {median.capacity.reason}")])
    enough = None if precision is None else precise_enough(precision)

    def look(gone: int, first: np.ndarray) -> bool:
        if watch is not None:
            watch(gone, first)
        return enough is not None and enough(first)

    run = play_unit(
        median.job,
        median.cluster.chip,
        median.cluster.network,
        median.capacity,
        np.random.default_rng(question.seed),
        load=LOAD,
        most_requests=USUAL if precision is None else LONGEST,
        least_requests=0 if precision is None else LONGEST,
        trace=median.trace,
        watch=look,
    ).run
    columns = request_columns(run)
    found = percentile_estimate(columns["ttft_s"])
    return PlayedUnit(columns, found, LOAD, precision is None or found.relative <= precision)
