"""The unit of a serving job, run as its traffic file's `fleet` block says, request by request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sim.physics.cache import kv_cache_bytes
from sim.profiles.catalogue import Catalogue
from sim.profiles.fleet import FleetSpec, Tier
from sim.profiles.messages import InputError, Problem
from sim.profiles.workload import ServingTraffic
from sim.resolve import MEDIAN
from sim.serving.autoscale import Autoscale, target_occupancy
from sim.serving.cluster import ClusterPlan, ClusterRun, simulate
from sim.serving.fleet import FleetPolicies, TierSize, on_two_systems, with_policies
from sim.serving.job import ServingJob
from sim.serving.modes import MixedTraffic, Mode, ModeOutcome, by_mode, draw_modes, labelled, with_hashes
from sim.serving.pattern import Pattern
from sim.serving.plan import Maintenance
from sim.serving.routing import named
from sim.serving.step_costs import scalar
from sim.serving.steps import ReplicaLimits, Speculation
from sim.serving.traffic import LengthDistribution, Requests, Trace, scaled_to
from sim.serving.unit_run import unit_plan
from sim.serving.unit_traffic import Pace, unit_requests
from sim.study.capacity_question import CapacityQuestion
from sim.study.question import load_side
from sim.study.serving import ServingRuns, plan_serving, run_serving

PERCENTILES = (50.0, 90.0, 99.0)


@dataclass(frozen=True, slots=True)
class FleetStudy:
    """What came of the run.

    Attributes
    ----------
    requests_per_s : float
        Offered load [1/s].
    modes : list of ModeOutcome
        One, named after the traffic, where there are none.
    """

    question: CapacityQuestion
    requests_per_s: float
    run: ClusterRun
    modes: list[ModeOutcome]


def study_fleet(catalogue: Catalogue, question: CapacityQuestion, load: float, count: int) -> FleetStudy:
    """Play ``count`` requests at ``load`` times the closed form's highest load of the unit, at the median of all inputs.

    Raises
    ------
    InputError
        When the traffic has no fleet block, a file it names is missing, or the unit serves nothing.
    """
    workload = question.task.workload
    assert isinstance(workload, ServingTraffic)
    if workload.fleet is None:
        raise InputError([Problem(f"{workload.id} has no `fleet:` block; see docs/serving-engine.md")])
    spec, rng = workload.fleet, np.random.default_rng(question.seed)
    median = run_serving(plan_serving(question.side, question.task), MEDIAN)
    plan, rate = _plan(catalogue, question, median, spec)
    modes = _modes(catalogue, workload, spec)
    classes = 1 + max(mode.priority for mode in modes)
    plan = with_policies(plan, _policies(spec, median, classes, rng))
    plan = _for_modes(plan, _speculations(catalogue, spec, plan.serve.limits))
    rate *= load * plan.units / (1.0 if median.trace is not None else _weight(modes, median.job))
    mixed = _requests(median, spec, modes, rate, count, rng)
    run = simulate(plan, mixed.requests, details=mixed.details, rng=rng)
    return FleetStudy(question, rate, run, by_mode(run, modes, mixed.mode, PERCENTILES))


def _plan(
    catalogue: Catalogue, question: CapacityQuestion, median: ServingRuns, spec: FleetSpec
) -> tuple[ClusterPlan, float]:
    """Plan of a unit and the requests per second that the closed form gives it."""
    here = _unit(median)
    if spec.prefill_system is None:
        return here
    if median.job.pools == "aggregated":
        raise InputError([Problem("prefill_system: needs `pools: disaggregated` in the traffic's software")])
    choice = question.side.choice.model_copy(update={"system": spec.prefill_system})
    there = _unit(run_serving(plan_serving(load_side(catalogue, choice), question.task), MEDIAN))
    return on_two_systems(there[0], here[0], here[1] / there[1]), here[1]


def _unit(runs: ServingRuns) -> tuple[ClusterPlan, float]:
    try:
        planned = unit_plan(runs.job, runs.cluster.chip, runs.cluster.network, runs.capacity)
    except ValueError as error:
        raise InputError([Problem(str(error))]) from None
    return planned.cluster, planned.requests_per_s


def _modes(catalogue: Catalogue, workload: ServingTraffic, spec: FleetSpec) -> list[Mode]:
    """The modes with the lengths and promises of their traffic files; the traffic itself where there are none."""
    if not spec.modes:
        return [_mode(workload.id, workload)]
    found = []
    for number, (name, each) in enumerate(spec.modes.items()):
        traffic = catalogue.workload(each.workload)
        if not isinstance(traffic, ServingTraffic):
            raise InputError(
                [Problem(f"fleet: modes: {name}: {each.workload} is a training recipe, no traffic")]
            )
        found.append(
            replace(
                _mode(name, traffic),
                share=each.share,
                priority=each.priority,
                image_tokens=each.image_tokens,
                encode_s=0.0 if each.encode is None else each.encode.median,
                rhythm=number,
            )
        )
    return found


def _mode(name: str, traffic: ServingTraffic) -> Mode:
    prompt, output = (
        LengthDistribution(part.median.median, part.sigma.median, part.maximum.median)
        for part in (traffic.input, traffic.output)
    )
    promise = traffic.targets
    return Mode(
        name,
        1.0,
        prompt,
        output,
        traffic.prefix_hit.median,
        ttft_s=promise.ttft.median,
        tpot_s=promise.tpot.median,
    )


def _speculations(
    catalogue: Catalogue, spec: FleetSpec, limits: ReplicaLimits
) -> tuple[Speculation, tuple[Speculation, ...]]:
    """That of the first mode, and of the others; step times hold for the drafts of the traffic file itself."""
    if not spec.modes:
        return limits.speculations[0], ()
    kinds = []
    for each in spec.modes.values():
        traffic = catalogue.workload(each.workload)
        assert isinstance(traffic, ServingTraffic)
        drafts, accepted = traffic.speculation.drafts, traffic.speculation.accepted.median
        weight = (drafts + 1) / (limits.lookahead + 1)
        kinds.append(Speculation(Fraction(accepted).limit_denominator(64), drafts, weight))
    return kinds[0], tuple(kinds[1:])


def _policies(spec: FleetSpec, median: ServingRuns, classes: int, rng: np.random.Generator) -> FleetPolicies:
    job = median.job
    context = scalar(job.traffic.context)
    cache, failures, rest, scale = spec.prefix_cache, spec.failures, spec.maintenance, spec.autoscale
    rate = 0.0
    if failures is not None:
        rate = scalar(median.cluster.failure_rate) if failures.rate is None else failures.rate.median
    return FleetPolicies(
        kv_token_bytes=scalar(kv_cache_bytes(job.architecture, context, job.precisions)) / context,
        units=spec.units,
        route=None if spec.router is None else named(spec.router, rng),
        block_tokens=None if cache is None else cache.block_tokens,
        tiers=() if cache is None else tuple(_tier(tier) for tier in cache.tiers),
        swap=None if spec.swap is None else _tier(spec.swap),
        failure_rate=rate,
        repair_s=0.0 if failures is None else failures.repair.median,
        maintenance=None if rest is None else Maintenance(rest.every.median, rest.lasts.median),
        autoscale=None
        if scale is None
        else Autoscale(
            target_occupancy(scale.target.median),
            scale.period.median,
            scale.start.median,
            scale.least,
            scale.most,
        ),
        classes=classes,
    )


def _tier(tier: Tier) -> TierSize:
    return TierSize(tier.size.median, tier.bandwidth.median)


def _for_modes(plan: ClusterPlan, kinds: tuple[Speculation, tuple[Speculation, ...]]) -> ClusterPlan:
    """Decode with the speculation of each mode; step times reach as far as the heaviest batch."""
    first, further = kinds
    pool = plan.serve
    heaviest = max(kind.weight for kind in (first, *further))
    base = list(pool.cost.base_s)
    grid = np.arange(int(np.ceil((pool.limits.batch + 1) * heaviest)) + 1)
    known = np.arange(len(base))
    slope = base[-1] - base[-2] if len(base) > 1 else 0.0
    reached = np.interp(grid, known, base) + slope * np.maximum(grid - known[-1], 0)
    limits = replace(pool.limits, accepted=first.accepted, lookahead=first.lookahead)
    if first.weight != 1.0:  # the batch counts in sequences of the first kind
        reached = np.interp(grid * first.weight, grid, reached)
        further = tuple(replace(kind, weight=kind.weight / first.weight) for kind in further)
    limits = replace(limits, further=further)
    plan = replace(plan, serve=replace(pool, limits=limits, cost=replace(pool.cost, base_s=reached.tolist())))
    if plan.prefill is None:
        return plan
    return replace(plan, prefill=replace(plan.prefill, limits=replace(plan.prefill.limits, further=further)))


def _weight(modes: list[Mode], job: ServingJob) -> float:
    """Work of the mean request over that of the traffic's own, by prompts or answers, whichever is more."""
    shares = np.array([mode.share for mode in modes])
    read = [float(mode.prompt.mean) * (1 - mode.prefix_hit) + mode.image_tokens for mode in modes]
    written = [float(mode.output.mean) for mode in modes]
    traffic = job.traffic
    own = scalar(traffic.prompt.mean) * (1 - scalar(traffic.prefix_hit)), scalar(traffic.output.mean)
    return max(
        float(np.average(each, weights=shares)) / mine
        for each, mine in zip((read, written), own, strict=True)
    )


def _requests(
    median: ServingRuns, spec: FleetSpec, modes: list[Mode], rate: float, count: int, rng: np.random.Generator
) -> MixedTraffic:
    """Requests of all modes, or the recorded ones with the ids of their blocks."""
    trace, traffic = median.trace, median.job.traffic
    if trace is not None and not spec.modes:
        return _recorded(median, trace, modes, rate, count, rng)
    pattern = traffic.pattern
    if spec.day is not None:
        peak, period = spec.day.peak_over_mean.median, spec.day.period.median
        pattern = Pattern("diurnal", peak_over_mean=peak, period_s=period)
    return draw_modes(modes, pattern.arrivals(rate, scalar(traffic.burstiness), count, rng), rng)


def _recorded(
    median: ServingRuns, trace: Trace, modes: list[Mode], rate: float, count: int, rng: np.random.Generator
) -> MixedTraffic:
    """Requests of a trace at a rate: in sessions, with the ids of their blocks, or neither."""
    if trace.follows is not None:
        pace = Pace(float(median.capacity.ttft_s[0]), float(median.capacity.tpot_s[0]))
        asked, details = unit_requests(median.job, rate, count, pace, rng, trace)
        assert details is not None
        mixed = labelled(modes, asked, np.zeros(len(asked), np.int64))
        waits = replace(mixed.details, follows=details.follows, wait_s=details.wait_s)
        return replace(mixed, details=waits)
    rows = slice(0, min(count, len(trace.requests)))
    asked = trace.requests
    part = Requests(asked.arrival_s[rows], asked.prompt[rows], asked.output[rows], asked.cached[rows])
    mixed = labelled(modes, scaled_to(part, rate), np.zeros(len(part), np.int64))
    return mixed if trace.blocks is None else with_hashes(mixed, trace.blocks[rows])
