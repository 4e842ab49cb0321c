"""The event engines on the median world and on chosen draws, set against the closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.profiles.workload import TrainingRecipe
from sim.report.content import Interval
from sim.resolve import MEDIAN
from sim.serving.unit_result import UnitRun
from sim.serving.unit_run import play_unit
from sim.study.serving import ServingRuns
from sim.study.summary.statistics import interval
from sim.study.training import TrainingPlan, TrainingRuns, run_training
from sim.training.campaign import CampaignEvent, simulate, simulate_many
from sim.training.goodput import goodput
from sim.training.stage_times import play_step
from sim.units import DAY

COURSES = 40  # campaigns played for the spread that chance alone makes
SEEDS = 10  # campaigns played per world: their mean is compared with the expectation
REQUESTS = 20_000  # longest run of a serving unit
LOAD = 0.95  # of the highest load the closed form allows: a queue at its very limit has no steady state

Check = tuple[str, float, float]
Bar = tuple[int, float, float, str]


def campaign_events(plan: TrainingPlan, runs: TrainingRuns, draws: Sequence[int], seed: int) -> list[Check]:
    """Wall time of the run by closed form and by events [day]: the median world, then the chosen draws."""
    recipe = plan.task.workload
    assert isinstance(recipe, TrainingRecipe)
    worlds = [("median inputs", run_training(plan, MEDIAN), 0), *((f"draw {d + 1}", runs, d) for d in draws)]
    rng = np.random.default_rng(seed)
    checks = []
    for name, run, draw in worlds:
        weeks = run.plan.at(0, draw)
        played = float(np.mean([course.wall_s for course in simulate_many(weeks, rng, SEEDS)]))
        expected = float(np.ravel(goodput(weeks).wall_s)[0])
        checks.append((f"{plan.side.label}: wall time, days ({name})", expected / DAY, played / DAY))
    return checks


def campaign_chance(median: TrainingRuns, seed: int) -> Interval:
    """Wall time over seeds of the events with all inputs at their medians [day]: what chance alone does."""
    runs = simulate_many(median.plan.at(0, 0), np.random.default_rng(seed), COURSES)
    return interval([run.wall_s / DAY for run in runs])


def campaign_course(median: TrainingRuns, seed: int) -> tuple[CampaignEvent, ...]:
    """What happens in one course that the run may take with median inputs."""
    return simulate(median.plan.at(0, 0), np.random.default_rng(seed)).events


def pipeline_events(
    plan: TrainingPlan, median: TrainingRuns, row: int
) -> tuple[tuple[Bar, ...], list[Check]]:
    """Timeline of one step of the chosen layout in the median world, and its length against the closed form [s]."""
    layout = plan.layouts.select(slice(row, row + 1))
    run = play_step(median.job, median.cluster.chip, median.cluster.network, layout)
    parts = median.times.pick(row)
    outside = ("data parallel", "optimizer", "jitter")
    closed = sum(float(np.ravel(s)[0]) for name, s in parts.breakdown.items() if name not in outside)
    kinds = {"Bi": "B", "F&Bi": "F&B"}
    bars = tuple(
        (span.rank, span.start_s, span.end_s, kinds.get(span.kind, span.kind)) for span in run.timeline
    )
    return bars, [(f"{plan.side.label}: pipeline of one step, s", closed, run.step_time_s)]


Latency = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class ServingEvents:
    """A serving unit played request by request.

    Attributes
    ----------
    latency : dict of str to dict
        As of :func:`played_latency`.
    """

    verdict: str
    checks: tuple[Check, ...]
    latency: Latency = field(default_factory=dict)


def played_latency(played: UnitRun) -> Latency:
    """Percentiles of "ttft_s", "tpot_s" and "e2e_s" over the requests that came once the run had settled [s]."""
    columns = dict(zip(("ttft_s", "tpot_s", "e2e_s"), played.settled(), strict=True))
    return {
        name: {str(p): float(np.nanpercentile(column, p)) for p in (50, 90, 99)}
        for name, column in columns.items()
        if np.isfinite(column).any()
    }


def serving_events(runs: ServingRuns, label: str, seed: int) -> ServingEvents:
    """The unit of the closed form in the median world, at ``LOAD`` of what the closed form gives it at most."""
    if not runs.capacity.requests_per_s[0] > 0:
        return ServingEvents(f"serves nothing: {runs.capacity.reason}", ())
    chip, network = runs.cluster.chip, runs.cluster.network
    rng = np.random.default_rng(seed)
    played = play_unit(
        runs.job, chip, network, runs.capacity, rng, load=LOAD, most_requests=REQUESTS, trace=runs.trace
    )
    checks = tuple((f"{label}: {name}", closed, float(events)) for name, closed, events in played.checks)
    return ServingEvents(
        f"Played request by request at {LOAD * 100:.0f} % of that load: {played.verdict}.",
        checks,
        played_latency(played),
    )
