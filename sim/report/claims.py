"""Titles of charts: what each of them shows, said in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sim.report.content import (
    ClusterContent,
    Driver,
    JobContent,
    JobSide,
    ReportContent,
    Sensitivity,
    ValidationRecord,
)
from sim.report.numbers import duration, number, percent, scale_of, signed
from sim.report.wording import capital, known_views, more_or_less, owner_and_field, spoken


def parity_claim(content: ReportContent) -> str:
    """How many of B do the work of A, over all jobs."""
    a, b = content.clusters
    medians = sorted(job.equal_count.p50 for job in content.jobs if not math.isnan(job.equal_count.p50))
    if not medians:
        return f"Neither {a.label} nor {b.label} can do this as promised"
    what = f"{a.chips:,} {a.label} do the work of"
    if number(medians[0]) == number(medians[-1]):
        return f"{what} {number(medians[0])} {b.label}"
    return f"{what} {number(medians[0])} to {number(medians[-1])} {b.label}, depending on the job"


def cost_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """Who pays more for the job, and what the largest block is."""
    views = known_views(job)
    if not views:
        return f"{job.label}: cost"
    view = views[0]
    cost_a, cost_b = job.a.cost[view], job.b.cost[view]
    claim = f"{job.label}: {a.label} costs {more_or_less(cost_a.p50, cost_b.p50)} {b.label}"
    largest = [max(side.cost_blocks[view].items(), key=lambda item: item[1])[0] for side in (job.a, job.b)
               if side.cost_blocks.get(view)]  # fmt: skip
    if len(largest) == 2 and largest[0] == largest[1]:
        claim += f"; largest block on both: {largest[0]}"
    return claim


def gap_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """What explains most of the cost gap."""
    causes = list(job.gap[1:-1])
    if len(job.gap) < 2 or not causes:
        return f"{job.label}: cost gap"
    gap = job.gap[-1][1] - job.gap[0][1]
    name, delta = max(causes, key=lambda item: abs(item[1]))
    factor, word = scale_of([job.gap[0][1], job.gap[-1][1]])
    money, _, per = f"{word} {job.gap_unit}".strip().partition(" per ")
    more = (
        f"{number(abs(gap) / factor)} {money} {'more' if gap >= 0 else 'less'}{' per ' + per if per else ''}"
    )
    return f"{a.label} costs {more}; the largest cause is {name} ({signed(delta / factor)})"


def breakdown_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """The term that takes most of the step on each cluster."""
    step = "training step" if job.kind == "training" else "decode step"
    if not job.a.breakdown or not job.b.breakdown:
        return f"Where the {step} goes"
    (name_a, share_a), (name_b, share_b) = _largest(job.a), _largest(job.b)
    if name_a == name_b:
        return f"Largest part of the {step} on both: {name_a}, {percent(share_a)} and {percent(share_b)}"
    first = f"On {a.label}, {name_a} is the largest part of the {step} ({percent(share_a)})"
    return f"{first}; on {b.label}, {name_b} ({percent(share_b)})"


def _largest(side: JobSide) -> tuple[str, float]:
    name, value = max(side.breakdown.items(), key=lambda item: item[1])
    return name, value / sum(side.breakdown.values())


def utilisation_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """Which resource the decode step uses most."""
    one, two = job.a.utilisation or {}, job.b.utilisation or {}
    if not one or not two:
        return "Use of the chip in the decode step"
    first, second = (max(use.items(), key=lambda item: item[1]) for use in (one, two))
    if first[0] == second[0]:
        return f"Decode uses {first[0]} most: {percent(first[1])} on {a.label}, {percent(second[1])} on {b.label}"
    return f"Decode uses {first[0]} most on {a.label} ({percent(first[1])}), {second[0]} on {b.label} ({percent(second[1])})"


def timeline_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """How long the pipeline of a step is on both clusters, as drawn."""
    if not job.a.timeline or not job.b.timeline:
        return "The pipeline of one training step"
    ends = [duration(max(row[2] for row in side.timeline)) for side in (job.a, job.b)]
    return f"The pipeline of one step takes {ends[0]} on {a.label} and {ends[1]} on {b.label}"


def wall_time_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """When the run ends on both."""
    days = job.a.wall_days, job.b.wall_days
    if days[0] is None or days[1] is None:
        return "How long the run takes"
    return f"The run takes {number(days[0].p50)} days on {a.label}, {number(days[1].p50)} on {b.label}"


def calendar_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """How much of the calendar trains on both."""
    good = job.a.goodput, job.b.goodput
    if good[0] is None or good[1] is None:
        return "Where the calendar goes"
    return f"{percent(good[0].p50)} of the calendar trains on {a.label}, {percent(good[1].p50)} on {b.label}"


def stops_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """What stops the run most often."""
    if not job.a.stop_causes or not job.b.stop_causes:
        return "What stops the run"
    first, second = (max(side.stop_causes, key=side.stop_causes.__getitem__) for side in (job.a, job.b))
    if first == second:
        return (
            f"What stops the run most often is the {first}" if first != "any" else "How often the run stops"
        )
    return f"What stops the run most often: the {first} on {a.label}, the {second} on {b.label}"


def frontier_claim(job: JobContent, a: ClusterContent, b: ClusterContent) -> str:
    """Which chip serves more where the answer is taken: at the ringed points if both are there."""
    rings = job.a.operating_point, job.b.operating_point
    if rings[0] and rings[1] and rings[1][1] > 0:
        ratio = rings[0][1] / rings[1][1]
        return f"With all inputs at their medians, one {a.label} serves {number(ratio, 2)} times the tokens of one {b.label}"
    if not job.b.throughput_per_chip.p50 > 0:
        return f"{b.label} serves nothing within the latency targets"
    ratio = job.a.throughput_per_chip.p50 / job.b.throughput_per_chip.p50
    target = (job.targets or {}).get("tpot_s")
    within = "within the latency targets" if target else "where the answer is taken"
    return f"One {a.label} serves {number(ratio, 2)} times the tokens of one {b.label} {within}"


def tornado_claim(sensitivity: Sensitivity) -> str:
    """The input that moves the answer of a job most, and by how much."""
    if not sensitivity.drivers:
        return f"{sensitivity.job_label}: no uncertain input moves the answer"
    driver = sensitivity.drivers[0]
    low, high = sorted((driver.at_low, driver.at_high))
    moved = f"alone moves the answer from {number(low)} to {number(high)}"
    return f"{sensitivity.job_label}: {owner_and_field(driver.name)[1]} {moved}"


def sobol_claim(
    content: ReportContent, drivers: Sequence[Driver], totals: Mapping[tuple[str, str], float]
) -> str:
    """The input that is the largest for most jobs."""
    if not drivers:
        return "No input explains the spread of the answers"
    firsts: dict[str, int] = {}
    for sensitivity in content.sensitivities:
        ranked = sorted(sensitivity.drivers, key=lambda d: -totals.get((sensitivity.job_id, d.path), 0.0))
        if ranked:
            firsts[ranked[0].path] = firsts.get(ranked[0].path, 0) + 1
    best = max(drivers, key=lambda d: firsts.get(d.path, 0))
    count, jobs = firsts.get(best.path, 0), len(content.sensitivities)
    if count == jobs and jobs > 1:
        return f"{capital(spoken(best.name))} is the largest source of spread for every job"
    if count > 1:
        return f"{capital(spoken(best.name))} is the largest source of spread for {count} of the {jobs} jobs"
    return f"{capital(spoken(drivers[0].name))} explains the largest share of the spread of any answer"


def scatter_claim(record: ValidationRecord) -> str:
    """How near half of the predictions come."""
    group = next((g for g in record.groups if g.name == "all"), record.groups[0] if record.groups else None)
    if group is None:
        return f"{capital(record.kind)}: predicted against measured"
    error = percent(group.median_error)
    return f"{capital(record.kind)}: half of {group.rows} published results are predicted within {error}"


def group_claim(record: ValidationRecord) -> str:
    """How the model stands to the better of the simple rules."""
    group = next((g for g in record.groups if g.name == "all"), record.groups[0] if record.groups else None)
    if group is None:
        return f"{capital(record.kind)}: error by group"
    if not record.baselines:
        return f"{capital(record.kind)}: nine in ten predictions are within {percent(group.p90_error)}"
    ours, best = percent(group.median_error), percent(min(g.median_error for g in record.baselines))
    return f"{capital(record.kind)}: median error {ours}, against {best} for the better simple rule"
