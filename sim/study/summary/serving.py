"""What the report says of a serving job."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.economics.attribution import CostCase, cost_gap
from sim.economics.ownership import total
from sim.profiles.workload import ServingTraffic
from sim.report.content import JobContent, JobSide
from sim.report.numbers import whole_percent
from sim.resolve import MEDIAN
from sim.study.answer import ServingAnswer, ServingStudy
from sim.study.events import ServingEvents, serving_events
from sim.study.gap import split_throughput, throughput_gap
from sim.study.money.tokens import token_costs
from sim.study.parity import whole_units
from sim.study.question import Question, Side
from sim.study.serving import ServingRuns, run_serving
from sim.study.summary.statistics import finer, gap_steps, interval, median_blocks, typical_parts
from sim.study.summary.words import unpriced
from sim.study.two_chips import unplayed
from sim.units import KWH

WORTH_SAYING = 0.01  # share of the draws without an answer from which on the report says so


def serving_content(question: Question, study: ServingStudy, answer: ServingAnswer, seed: int) -> JobContent:
    """Both sides of a serving job, with the event engine run on the median world."""
    traffic = study.task.workload
    assert isinstance(traffic, ServingTraffic)
    equal = interval(answer.equal)
    medians = [run_serving(plan, MEDIAN) for plan in (study.a, study.b)]
    events = [
        serving_events(run, side.label, seed) for run, side in zip(medians, question.sides, strict=True)
    ]
    return JobContent(
        id=study.task.job.id,
        label=study.task.label,
        kind="serving",
        description=_describe(study, medians, question),
        a=_side(question.a, answer.a, medians[0], events[0]),
        b=_side(question.b, answer.b, medians[1], events[1]),
        equal_count=equal,
        equal_count_rounded=whole_units(equal.p50, question.b.system.unit),
        speed_ratio=interval(answer.ratio),
        gap=_gap(question, study, answer),
        gap_unit="USD per million output tokens",
        targets={"ttft_s": traffic.targets.ttft.median, "tpot_s": traffic.targets.tpot.median},
        from_events=[check for each in events for check in each.checks],
        warnings=[
            *_warnings(question, answer),
            *unpriced(question),
            *filter(None, [unplayed(traffic, report=True)]),
        ],
    )


def _warnings(question: Question, answer: ServingAnswer) -> list[str]:
    """Sides that cannot keep the promise in at least one of a hundred worlds."""
    return [
        f"{side.label}: {run.capacity.reason}."
        for side, run in zip(question.sides, (answer.a, answer.b), strict=True)
        if np.mean(run.capacity.requests_per_s <= 0) >= WORTH_SAYING
    ]


def _describe(study: ServingStudy, medians: list[ServingRuns], question: Question) -> str:
    traffic = study.task.workload
    assert isinstance(traffic, ServingTraffic)
    targets = traffic.targets
    formats = " and ".join(
        f"{run.job.precisions.linear.upper()} on {side.label}"
        for run, side in zip(medians, question.sides, strict=True)
    )
    prompt, answer = traffic.input.median.median, traffic.output.median.median
    cached, kept = whole_percent(traffic.prefix_hit.median), whole_percent(targets.percentile)
    return (
        f"Prompts of {prompt:,.0f} tokens (median), {cached} of their tokens cached, answers of "
        f"{answer:,.0f} tokens; {kept} of requests get the first token within {targets.ttft.median:g} s "
        f"and the others within {1000 * targets.tpot.median:g} ms each; {traffic.software.pools} pools, {formats}."
    )


def _side(side: Side, runs: ServingRuns, median: ServingRuns, events: ServingEvents) -> JobSide:
    capacity = runs.capacity
    with np.errstate(invalid="ignore"):  # where nothing is served, no token has a price
        costs = token_costs(side, runs, MEDIAN)  # of the path to host memory
    outputs, inputs = costs.all_in, costs.miss
    return JobSide(
        throughput=interval(runs.tokens_per_s),
        throughput_per_chip=interval(capacity.output_tokens_per_s),
        layout=capacity.shape,
        layout_reason="the unit that serves most per chip within the promise, in most draws",
        breakdown={
            name: t for name, s in median.capacity.decode_terms.items() if (t := float(np.median(s))) > 0
        },
        power_mw=interval(runs.power_w / 1e6),
        energy=interval(runs.energy_j_per_million / KWH),
        cost={view: interval(total(blocks)) for view, blocks in outputs.items()},
        cost_blocks={view: median_blocks(blocks) for view, blocks in outputs.items()},
        input_cost={view: interval(total(blocks)) for view, blocks in inputs.items()},
        ttft_s=interval(capacity.ttft_s),
        tpot_s=interval(capacity.tpot_s),
        batch_per_chip=interval(capacity.batch_per_chip),
        limits=dict(capacity.limits),
        utilisation=_medians(capacity.utilisation),
        hit_cost={view: interval(total(blocks)) for view, blocks in costs.hit.items()},
        bounds={"prefill": _medians(capacity.prefill_bounds), "decode": _medians(capacity.decode_bounds)},
        prefill_utilisation=_medians(capacity.prefill_utilisation),
        latency=events.latency,
        verdict=events.verdict,
        frontier=median.capacity.frontier,
        operating_point=median.operating_point,
    )


def _medians(shares: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    return {name: float(np.nanmedian(share)) for name, share in shares.items()}


def _gap(question: Question, study: ServingStudy, answer: ServingAnswer) -> list[tuple[str, float]]:
    """Amortised cost of a million output tokens on B, what changes it, and on A."""
    b, a = (
        CostCase(
            run.cluster.ownership,
            run.it_power_w,
            np.where(run.capacity.output_tokens_per_s > 0, run.capacity.output_tokens_per_s, np.nan),
            utilisation=run.job.utilisation,
        )
        for run in (answer.b, answer.a)
    )
    # Worlds in which one side cannot keep the promise have no gap: its cost is infinite and has no parts.
    parts = cost_gap(b, a)
    rates = b.tokens_per_chip_s, a.tokens_per_chip_s
    typical = typical_parts(parts)
    physical = split_throughput(parts, typical["throughput"], rates, throughput_gap(question, study))
    ends = [interval(total(run.output_cost()["amortised"])).p50 for run in (answer.b, answer.a)]
    return gap_steps(
        ((question.b.label, ends[0]), (question.a.label, ends[1])),
        finer(typical, "throughput", physical),
    )
