"""One deployment unit of a capacity result, played request by request under its own load."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import shared_step
from sim.serving.capacity import Capacity
from sim.serving.cluster import ClusterPlan, ClusterRun, PoolPlan, Watch, simulate
from sim.serving.draws import take_draws
from sim.serving.job import ServingJob, UnitShape, as_ranks
from sim.serving.pools import prompt_times, transfer_time
from sim.serving.routing import in_groups, least_loaded, least_unread
from sim.serving.step_costs import decode_costs, prompt_cost, scalar, shared_prompt_token_s
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Trace
from sim.serving.unit_result import UnitRun
from sim.serving.unit_traffic import Pace, measured_pace, unit_requests, unit_residents

Array = NDArray[np.float64] | float
BLOCK = 16  # tokens of a cache block, as engines use by default
SLICE = 1000.0  # residents at least of a part of an instance that stands for all of it
CROWD = 400.0  # residents at least, on as many instances as that takes: a fleet evens out what one small unit cannot
MOST_INSTANCES = 64  # of them; more would only make a run longer
READ = 200.0  # prompts that each prefill replica reads at least, within the longest run
RESIDENCES = 3.0  # length of a run in mean stays, from a warm start


@dataclass(frozen=True, slots=True)
class _Unit:
    """One draw of a job on its chosen unit, all scalars."""

    job: ServingJob
    chip: Chip
    network: Network
    capacity: Capacity
    draw: int
    ranks_per_chip: int

    def of(self, values: NDArray[np.float64]) -> float:
        return float(np.ravel(values)[self.draw])

    @property
    def team(self) -> float:
        """Ranks that read a prompt together."""
        unit = self.capacity.prefill_unit
        return self.of(unit.tp) * self.of(unit.context_parallel)

    @property
    def routed(self) -> float:
        """Prefill replicas behind one router."""
        unit = self.capacity.prefill_unit
        return max(
            np.rint(scalar(self.job.engine.routed)), np.ceil(self.of(unit.tp) * self.of(unit.dp) / self.team)
        )

    @property
    def decode_shape(self) -> UnitShape:
        unit = self.capacity.decode_unit
        return UnitShape(self.of(unit.tp), self.of(unit.dp))


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """What is played for a unit.

    Attributes
    ----------
    requests_per_s : float
        The closed form's highest load of it [1/s].
    residents : float
        Sequences being decoded at that load.
    readers : float
        Prefill replicas of it, not rounded; 0 for aggregated pools.
    """

    unit: _Unit
    cluster: ClusterPlan
    requests_per_s: float
    residents: float
    readers: float


def unit_plan(job: ServingJob, chip: Chip, network: Network, capacity: Capacity, draw: int = 0) -> UnitPlan:
    """Decode (or aggregated) instances with the prefill replicas that belong to them; parameters of :func:`play_unit`.

    Raises
    ------
    ValueError
        When the closed form serves nothing in this draw.
    """
    if capacity.requests_per_s[draw] <= 0:
        raise ValueError(f"nothing to play: {capacity.reason}")
    index = np.array([draw])
    rank_chip, rank_network = as_ranks(take_draws(chip, index), take_draws(network, index), chip.ranks)
    unit = _Unit(_scalar(take_draws(job, index)), rank_chip, rank_network, capacity, draw, chip.ranks)
    aggregated = job.pools == "aggregated"
    share = 0.0 if aggregated else unit.of(capacity.prefill_share)
    in_instance = float(unit.decode_shape.ranks) / unit.ranks_per_chip
    readers = in_instance * share / (1.0 - share) * unit.ranks_per_chip / unit.team
    residents = unit.of(capacity.batch_per_chip) * in_instance
    instances = _whole(residents, 0.0) if aggregated else _instances(unit, residents, readers)
    chips = instances * in_instance / (1.0 - share)
    plan = (
        _aggregated_plan(unit, round(instances))
        if aggregated
        else _disaggregated_plan(unit, instances, chips * share)
    )
    plan = replace(plan, serve=replace(plan.serve, chips=chips * (1.0 - share) / plan.serve.replicas))
    if plan.prefill is not None:
        plan = replace(plan, prefill=replace(plan.prefill, chips=chips * share / plan.prefill.replicas))
    rate = unit.of(capacity.requests_per_s) * chips
    writing = max(unit.of(capacity.batch_per_chip) * chips * (1.0 - share), 1.0)
    return UnitPlan(unit, plan, rate, writing, instances * readers)


def play_unit(
    job: ServingJob,
    chip: Chip,
    network: Network,
    capacity: Capacity,
    rng: np.random.Generator,
    *,
    draw: int = 0,
    load: float = 1.0,
    most_requests: int = 60_000,
    trace: Trace | None = None,
    least_requests: int = 0,
    watch: Watch | None = None,
) -> UnitRun:
    """Play decode (or aggregated) instances with the prefill replicas that belong to them.

    Parameters
    ----------
    capacity : Capacity
        Result of :func:`sim.serving.capacity.serving_capacity` for the same job, chip and network.
    draw : int
        Which draw to play.
    load : float
        Arrivals over those the closed form allows [1].
    most_requests : int
        Upper end of the length of the run.
    least_requests : int
        Lower end of it.
    trace : Trace, optional
        Requests to replay, stretched to the unit's rate; drawn from the job's distributions when left out.
    watch : callable, optional
        As in :func:`sim.serving.cluster.simulate`.

    Raises
    ------
    ValueError
        When the closed form serves nothing in this draw.
    """
    planned = unit_plan(job, chip, network, capacity, draw)
    unit, plan, rate, residents = planned.unit, planned.cluster, planned.requests_per_s, planned.residents
    count = int(min(max(RESIDENCES * residents, READ * planned.readers, 2000), most_requests))
    count = max(count, least_requests)

    def play(pace: Pace, rng: np.random.Generator) -> ClusterRun:
        requests, details = unit_requests(unit.job, rate * load, count, pace, rng, trace)
        warm = unit_residents(unit.job, int(residents), rng, trace)
        horizon = float(requests.arrival_s[-1])
        return simulate(plan, requests, horizon_s=horizon, residents=warm, details=details, watch=watch)

    pace = Pace(unit.of(capacity.ttft_s), unit.of(capacity.tpot_s))
    if trace is not None and trace.follows is not None:  # how fast rounds follow is not known beforehand
        pace = measured_pace(play(pace, deepcopy(rng)))
    run = play(pace, rng)
    targets = unit.job.targets
    verdict = run.verdict(scalar(targets.ttft_s), targets.percentile)
    played = UnitRun(run, verdict, (), targets.percentile, scalar(unit.job.engine.outside_s))
    if verdict != "overloaded":
        in_time = played.latency()[0] <= scalar(targets.ttft_s)
        played = replace(played, verdict="stable" if in_time else "backlogged")
    return replace(played, checks=_checks(unit, played, rate, load))


def _instances(unit: _Unit, residents: float, readers: float) -> float:
    """Decode instances to play: enough residents to vary as in a fleet, and all prefill replicas of a router.

    A large instance is played in part: so many residents, and the prefill replicas that fill their places.
    """
    routed = unit.routed
    wanted = max(SLICE / residents, routed / readers)
    if wanted >= 1.0:
        return _whole(residents, routed / readers)
    return min(np.ceil(wanted * readers / routed) * routed / readers, 1.0)


def _whole(residents: float, wanted: float) -> float:
    return float(np.clip(np.ceil(max(CROWD / residents, wanted)), 1, MOST_INSTANCES))


def _scalar(job: ServingJob) -> ServingJob:
    traffic = job.traffic
    prompt, output = (
        replace(part, **{key: scalar(getattr(part, key)) for key in ("median", "sigma", "maximum")})
        for part in (traffic.prompt, traffic.output)
    )
    hit, burst = scalar(traffic.prefix_hit), scalar(traffic.burstiness)
    return replace(
        job, traffic=replace(traffic, prompt=prompt, output=output, prefix_hit=hit, burstiness=burst)
    )


def _decode_limits(unit: _Unit, chunk: int = 8192, part: float = 1.0) -> ReplicaLimits:
    engine, shape = unit.job.engine, unit.decode_shape
    replicas = float(shape.dp) * part
    context = scalar(unit.job.traffic.context)
    fitting = min(unit.of(unit.capacity.fitting_batch), 1e6)
    return ReplicaLimits(
        batch=max(int(unit.of(unit.capacity.peak_batch) * replicas), 1),
        kv_blocks=int(fitting * replicas * context / BLOCK) + 1,
        block_tokens=BLOCK,
        chunk_tokens=max(chunk, 1),
        mixed=engine.interleave == "mixed",
        accepted=Fraction(scalar(engine.accepted)).limit_denominator(64),
        lookahead=engine.drafts,
        spare_blocks=int(0.01 * fitting * replicas * context / BLOCK),
    )


def _disaggregated_plan(unit: _Unit, instances: float, prefill_chips: float) -> ClusterPlan:
    part = min(instances, 1.0)
    limits = _decode_limits(unit, part=part)
    base, slope = decode_costs(
        unit.job,
        unit.chip,
        unit.network,
        unit.decode_shape,
        scalar(unit.job.traffic.context),
        limits.batch,
        part,
    )
    reading = unit.capacity.prefill_unit
    shape = UnitShape(unit.of(reading.tp), unit.of(reading.dp))
    parallel, chunk = unit.of(reading.context_parallel), unit.of(reading.chunk)
    cost = prompt_cost(unit.job, unit.chip, unit.network, shape, chunk * parallel, parallel)
    reader = ReplicaLimits(batch=10**6, kv_blocks=10**9, chunk_tokens=int(chunk * parallel))
    # A fraction of a replica cannot be played: whole ones, each slower or faster by what is missing. Less than one is
    # played as one at its own speed, less busy than in a fleet that shares its prefill replicas.
    wanted = prefill_chips * unit.ranks_per_chip / unit.team
    count = max(round(wanted), 1)
    scale = count / wanted if wanted > 1 else 1.0
    base_s, token_s = cost.prefill_base_s, cost.prefill_token_s
    if unit.job.architecture.moe is not None and unit.team < float(shape.ranks):
        # Teams of an instance step together: a pass takes as long as that of the fullest, however few tokens one has.
        base_s, token_s = base_s + token_s * chunk * parallel, 0.0
    slowed = StepCost([0.0], 0.0, base_s * scale, token_s * scale, cost.prefill_pair_s * scale)
    mean = float(unit.job.traffic.prompt.mean)
    sending = scalar(transfer_time(unit.job, unit.network, shape, mean))
    fixed = scalar(transfer_time(unit.job, unit.network, shape, 1.0))
    per_token = max(sending - fixed, 0.0) / mean
    decode = PoolPlan(StepCost(base, slope), limits, max(round(instances), 1))
    route = in_groups(least_unread, int(unit.routed))
    return ClusterPlan(decode, PoolPlan(slowed, reader, count, route), fixed, per_token)


def _aggregated_plan(unit: _Unit, instances: int) -> ClusterPlan:
    shape, capacity = unit.decode_shape, unit.capacity
    chunk = unit.of(capacity.prefill_unit.chunk)
    job = replace(unit.job, engine=replace(unit.job.engine, chunk_tokens=chunk))
    batch = unit.of(capacity.batch_per_chip) * float(shape.tp) / unit.ranks_per_chip
    shared = shared_step(job, unit.chip, unit.network, shape, batch, job.traffic.context)
    per_token = shared_prompt_token_s(shared, chunk, float(shape.dp))
    limits = _decode_limits(unit, int(chunk * float(shape.dp)))
    # An instance stands for all its replicas, so fewer of them are behind one router.
    route = in_groups(least_loaded, max(round(unit.routed / float(shape.dp)), 1))
    base, slope = decode_costs(
        unit.job, unit.chip, unit.network, unit.decode_shape, scalar(unit.job.traffic.context), limits.batch
    )
    return ClusterPlan(PoolPlan(StepCost(base, slope, 0.0, per_token), limits, instances, route))


def _checks(unit: _Unit, played: UnitRun, rate: float, load: float) -> tuple[tuple[str, float, float], ...]:
    ttft, tpot = played.latency()
    run = played.run
    output = (run.serve.tokens + run.prefill.tokens) / run.span_s
    mean = scalar(unit.job.traffic.pattern.mean_over_peak)
    promised = rate * load * mean * float(unit.job.traffic.output.mean)
    first = unit.of(unit.capacity.ttft_s)
    if run.plan.prefill is not None:
        first = _first_token_s(unit, run.plan.prefill.replicas, load)
    name = f"{100 * played.percentile:.0f} % of requests within"
    return (
        (f"time per output token, {name}, ms", unit.of(unit.capacity.tpot_s) * 1e3, tpot * 1e3),
        (f"time to first token, {name}, s", first, ttft),
        ("output tokens per second of the unit", promised, output),
    )


def _first_token_s(unit: _Unit, readers: int, load: float) -> float:
    """The closed form for the prefill replicas that are played and their load."""
    reading, share = unit.capacity.prefill_unit, unit.of(unit.capacity.prefill_share)
    shape = UnitShape(unit.of(reading.tp), unit.of(reading.dp))
    times = prompt_times(
        unit.job, unit.chip, unit.network, shape, unit.of(reading.chunk), unit.of(reading.context_parallel)
    )
    per_rank = unit.of(unit.capacity.requests_per_s) / unit.ranks_per_chip / share
    busy = min(load * per_rank * scalar(times.service) * unit.team, 1.0 - 1e-6)
    return scalar(times.first_token_s(unit.job, busy, min(readers, unit.routed)))
