"""What a row of the serving table measures, computed: throughput and latency of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.quantity import Array
from sim.resolve import MEDIAN, World
from sim.serving.aggregated import shared_step
from sim.serving.cluster import ClusterPlan, PoolPlan, simulate
from sim.serving.iteration import StepTime, decode_step_time, prefill_time
from sim.serving.job import ServingJob, UnitShape
from sim.serving.pools import transfer_time
from sim.serving.steady import Balance, aggregated_balance, disaggregated_balance, resident_limit
from sim.serving.step_costs import decode_costs, prompt_cost, scalar, shared_prompt_token_s
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests, poisson_arrivals
from sim.study.validation.scores import CannotPredict, Case
from sim.study.validation.serving_cases import (
    ServingSetting,
    prefill_shape,
    resolve_case,
    resolve_ranks,
    serving_shape,
)

ROUNDS = 10  # requests per client where a closed loop does not say how many were sent
PLAYED = 12_000  # requests at most; the rest of a longer run goes on like the end of what was played


@dataclass(frozen=True, slots=True)
class Point:
    """A row in one or many worlds.

    Attributes
    ----------
    value : Array
        In the unit of the row.
    terms : mapping of str to Array
        Time of the step (or pass) behind it by cause [s].
    note : str
        What the row left open and how it was filled.
    """

    value: Array
    terms: Mapping[str, Array]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row resolved in one or many worlds."""

    setting: ServingSetting
    case: Case
    job: ServingJob
    chip: Chip
    network: Network
    first_token_s: Array
    prompt_delay_s: Array

    @property
    def chips(self) -> float:
        return self.case.number("n_chips")

    @property
    def stages(self) -> float:
        """Pipeline stages of the serving instance."""
        return self.case.number("d_pp", 1.0)

    @property
    def instances(self) -> float:
        """Instances that run side by side; p stages work on p batches in turn, each as if it had the ranks of a stage."""
        return self.case.number("d_instances", 1.0) * self.stages

    def residents(self, shape: UnitShape, tokens: Array) -> Array:
        """Sequences of an attention replica: those of all stages, divided by the batches that they take in turn."""
        stages = self.stages
        chip = replace(self.chip, memory_bytes=self.chip.memory_bytes * stages)
        engine = replace(
            self.job.engine,
            buffers_bytes=self.job.engine.buffers_bytes * stages,
        )
        return resident_limit(replace(self.job, engine=engine), chip, shape, tokens) / stages

    @property
    def split(self) -> bool:
        """Whether prompts are read in a pool of their own."""
        return bool(self.case.text("p_instances") and self.case.text("d_instances"))


def measure(setting: ServingSetting, world: World = MEDIAN) -> Point:
    """The number a row states, as the simulator sees it.

    Raises
    ------
    CannotPredict
        When the row lacks something, or states what the model does not give.
    """
    case = setting.case
    chip, network = resolve_ranks(setting, world)
    outside = world(setting.chosen()["first_token"])
    delay = world(setting.chosen()["prompt_delay"])
    row = _Row(setting, case, resolve_case(setting, world), chip, network, outside, delay)
    metric, phase, load = case.text("metric"), case.text("phase"), _load_of(case)
    if metric == "kv_transfer_ms":
        return _transfer(row)
    if load == "single_request":
        return _single(row, metric)
    if phase == "prefill" and metric == "tokens_per_s_per_chip":
        return _prefill_rate(row)
    if phase == "decode" and load in ("fixed_batch", "saturated"):
        return _decode(row, metric)
    if load in ("closed_loop", "saturated"):
        return _loaded(row, metric)
    if load == "open_loop_trace":
        return _trace(row, metric)
    raise CannotPredict(
        f"{metric} of phase {phase or 'unknown'} under load {load or 'unknown'} is not modelled"
    )


def _load_of(case: Case) -> str:
    """How the system was loaded; where the row does not say, as its numbers imply."""
    written = case.text("load_mode")
    if written:
        return written
    shared = case.text("phase") == "both" or case.text("serving").lower() == "aggregated"
    if case.text("concurrency_effective") or (shared and case.text("concurrency_total")):
        return "closed_loop"
    if case.text("phase") == "decode" and case.text("batch_per_chip"):
        return "fixed_batch"
    return ""


def _passes(
    row: _Row, shape: UnitShape, tokens: Array, prompt: float, active: float = 1.0
) -> tuple[Array, StepTime]:
    """Time to read ``tokens`` prompt tokens per replica in prompts of a length, and the last pass."""
    new = prompt * (1.0 - float(np.asarray(row.job.traffic.prefix_hit)))
    limit = np.maximum(
        np.asarray(row.job.engine.chunk_tokens), np.where(prompt < np.asarray(tokens), tokens, 1.0)
    )
    part = np.minimum(new, limit)
    past = prompt - new + (new - part) / 2
    step = prefill_time(
        row.job, row.chip, row.network, shape, np.minimum(tokens, limit) / part, part, past, active
    )
    return step.total_s * np.maximum(tokens / limit, 1.0), step


def _prefill_rate(row: _Row) -> Point:
    """Input tokens per second and chip of a pool that always has prompts."""
    case, shape = row.case, prefill_shape(row.case)
    given = case.number("prefill_tokens_per_batch", 0.0)
    tokens = given / float(shape.dp) if given else row.job.engine.chunk_tokens
    time, step = _passes(row, shape, tokens, case.number("isl"))
    rate = tokens / time / float(shape.tp) * row.setting.ranks_per_chip
    return Point(rate, step.terms)


def _decode(row: _Row, metric: str) -> Point:
    """A decode batch held constant."""
    case, shape = row.case, serving_shape(row.case)
    context = case.number("kv_len_mean", case.number("isl"))
    if case.text("batch_per_chip"):
        batch: Array = case.number("batch_per_chip") / row.setting.ranks_per_chip * float(shape.tp)
    else:
        batch = row.residents(shape, context)
    step = decode_step_time(row.job, row.chip, row.network, shape, batch, context)
    rate = batch * row.job.engine.accepted / step.total_s / float(shape.tp) * row.setting.ranks_per_chip
    value = _in_metric(row, metric, rate, step.total_s / row.job.engine.accepted, None)
    note = (
        "" if case.text("batch_per_chip") else f"batch not published: {np.median(batch):.0f} per rank taken"
    )
    return Point(value, step.terms, note)


def _single(row: _Row, metric: str) -> Point:
    """One request in an idle system."""
    case = row.case
    shape = prefill_shape(case)
    time, step = _passes(row, shape, case.number("isl"), case.number("isl"), active=1.0 / float(shape.dp))
    first = time + row.first_token_s
    if row.split:
        first = first + transfer_time(row.job, row.network, shape, case.number("isl"))
    if metric == "ttft_ms":
        return Point(first * 1e3, step.terms)
    serve = serving_shape(case)
    context = case.number("kv_len_mean", case.number("isl") + case.number("osl", 1.0) / 2)
    one = decode_step_time(row.job, row.chip, row.network, serve, 1.0, context)
    tpot = one.total_s / row.job.engine.accepted
    output = case.number("osl", 1.0)
    rate = output / (first + (output - 1) * tpot) / row.chips
    return Point(_in_metric(row, metric, rate, tpot, first), one.terms)


def _balance(row: _Row) -> tuple[Balance, UnitShape]:
    case, shape = row.case, serving_shape(row.case)
    clients = case.number("concurrency_effective", case.number("concurrency_total", np.inf))
    if _load_of(case) == "saturated":
        clients = np.inf
    each = clients / (row.instances * float(shape.dp))
    whole = row.setting.rule("reserve", case.text("engine")) == "full"
    tokens = case.number("isl") + case.number("osl", 1.0) * (1.0 if whole else 0.5)
    limit = row.residents(shape, tokens)
    if not row.split:
        return aggregated_balance(
            row.job, row.chip, row.network, shape, each, limit, row.prompt_delay_s
        ), shape
    reader = prefill_shape(case)
    chunk = row.job.engine.chunk_tokens
    time, _ = _passes(row, reader, chunk, case.number("isl"))
    rate = chunk / time / case.number("isl") * float(reader.dp) * case.number("p_instances")
    alone, _ = _passes(row, reader, case.number("isl"), case.number("isl"))
    first = alone + transfer_time(row.job, row.network, reader, case.number("isl")) + row.prompt_delay_s
    replicas = row.instances * float(shape.dp)
    return (
        disaggregated_balance(row.job, row.chip, row.network, shape, each, limit, rate / replicas, first),
        shape,
    )


def _loaded(row: _Row, metric: str) -> Point:
    """Clients who always have a request in the system, or more requests than fit."""
    balance, shape = _balance(row)
    replicas = row.instances * float(shape.dp)
    output = row.case.number("osl", 1.0)
    rate = balance.requests_per_s * output * replicas / row.chips
    if metric in ("ttft_ms", "e2e_ms") and not row.split:
        first = _played_ttft(row, balance, shape)
    else:
        first = balance.ttft_s + row.first_token_s
    note = f"{np.median(np.asarray(balance.batch)):.0f} sequences per attention replica"
    return Point(_in_metric(row, metric, rate, balance.tpot_s, first), balance.terms, note)


def _in_metric(row: _Row, metric: str, rate: Array, tpot: Array, first: Array | None) -> Array:
    case = row.case
    if metric == "tokens_per_s_per_chip":
        if case.text("tokens_counted") == "input":
            return rate * case.number("isl") / case.number("osl", 1.0)
        return rate
    if metric == "total_tokens_per_s_per_chip":
        return rate * (1.0 + case.number("isl") / case.number("osl"))
    if metric == "tpot_ms":
        return tpot * 1e3
    if metric == "tokens_per_s_per_user":
        return 1.0 / tpot
    if metric == "ttft_ms" and first is not None:
        return first * 1e3
    if metric == "e2e_ms" and first is not None:
        return (first + (case.number("osl") - 1) * tpot) * 1e3
    raise CannotPredict(f"{metric or 'the metric'} is not a result of the serving model")


def _transfer(row: _Row) -> Point:
    time = transfer_time(row.job, row.network, prefill_shape(row.case), row.case.number("isl"))
    return Point(time * 1e3, {})


def _median(row: _Row) -> _Row:
    """The row with every input at its median: the event engine plays one world."""
    setting = row.setting
    chip, network = resolve_ranks(setting)
    return replace(
        row,
        job=resolve_case(setting),
        chip=chip,
        network=network,
        first_token_s=MEDIAN(setting.chosen()["first_token"]),
    )


def _instance_plan(row: _Row, balance: Balance, shape: UnitShape) -> ClusterPlan:
    """One instance of a row as the event engine plays it."""
    case, job = row.case, row.job
    replicas = float(shape.dp)
    whole = row.setting.rule("reserve", case.text("engine")) == "full"
    tokens = case.number("isl") + case.number("osl", 1.0) * (1.0 if whole else 0.5)
    limit = scalar(row.residents(shape, tokens))
    batch = max(int(min(limit, case.number("concurrency_total", np.inf) / replicas) * replicas), 1)
    context = scalar(job.traffic.context)
    base, slope = decode_costs(job, row.chip, row.network, shape, context, batch)
    shared = shared_step(job, row.chip, row.network, shape, np.maximum(scalar(balance.batch), 0.01), context)
    chunk = scalar(job.engine.chunk_tokens)
    if job.engine.interleave == "mixed":
        cost = StepCost(base, slope, 0.0, shared_prompt_token_s(shared, chunk, replicas))
    else:
        reading = prompt_cost(job, row.chip, row.network, shape, case.number("isl"))
        base[0] = 0.0
        # Every replica reads a prompt of its own in the same pass.
        cost = replace(
            reading,
            base_s=base,
            context_s=slope,
            prefill_token_s=reading.prefill_token_s / replicas,
            prefill_pair_s=reading.prefill_pair_s / replicas,
        )
    limits = ReplicaLimits(
        batch=batch,
        kv_blocks=10**9,
        chunk_tokens=int(chunk * replicas),
        mixed=job.engine.interleave == "mixed",
        accepted=Fraction(scalar(job.engine.accepted)).limit_denominator(64),
    )
    return ClusterPlan(PoolPlan(cost, limits, 1))


def _lengths(case: Case, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lengths as load generators draw them: uniform from eight ninths to ten ninths of the mean."""
    draws = rng.uniform(8 / 9, 10 / 9, (2, count))
    prompt, output = case.number("isl") * draws[0], case.number("osl", 1.0) * draws[1]
    return np.maximum(np.rint(prompt), 1).astype(np.int32), np.maximum(np.rint(output), 1).astype(np.int32)


def _played_ttft(row: _Row, balance: Balance, shape: UnitShape) -> Array:
    """Mean time to first token with the queue, the start-up burst included, played once with median inputs [s]."""
    middle = _median(row)
    clients = int(max(row.case.number("concurrency_total", 1.0) / row.instances, 1))
    count = int(row.case.number("n_requests", ROUNDS * clients * row.instances) / row.instances)
    if 2 * clients > PLAYED:  # too many to play: the closed form, without the burst
        return balance.ttft_s + row.first_token_s
    rng = np.random.default_rng(1)
    prompt, output = _lengths(row.case, min(max(count, clients), PLAYED), rng)
    zero = np.zeros(len(prompt))
    requests = Requests(zero, prompt, output, zero.astype(np.int32))
    at_median = replace(balance, batch=float(np.median(np.asarray(balance.batch))))
    run = simulate(_instance_plan(middle, at_median, shape), requests, clients=clients)
    # Other worlds differ by what their closed form differs.
    shift = np.asarray(balance.tpot_s) / np.median(np.asarray(balance.tpot_s))
    played = float(np.mean(run.ttft_s))
    if count > PLAYED:
        late = float(np.mean(run.ttft_s[PLAYED // 2 :]))
        played = late + (played - late) * PLAYED / count
    return played * shift + row.first_token_s + row.prompt_delay_s


def _trace(row: _Row, metric: str) -> Point:
    """Open loop at a mean rate; the trace itself is not in the table, so arrivals are Poisson."""
    case, shape = row.case, serving_shape(row.case)
    middle = _median(row)
    count = min(int(case.number("n_requests")), PLAYED)
    rng = np.random.default_rng(1)
    prompt, output = _lengths(case, count, rng)
    arrivals = poisson_arrivals(case.number("request_rate_total"), count, rng)
    requests = Requests(arrivals, prompt, output, np.zeros(count, np.int32))
    # The prompt cost of the engine is that near the load that the requests reach if nothing holds them back.
    cap = np.minimum(middle.job.engine.max_batch, count / float(shape.dp))
    one = aggregated_balance(middle.job, middle.chip, middle.network, shape, cap, cap)
    run = simulate(_instance_plan(middle, one, shape), requests)
    first = float(np.mean(run.ttft_s)) + row.first_token_s
    tpot = float(np.nanmean(run.tpot_s))
    if metric == "e2e_ms":
        return Point((float(np.mean(run.e2e_s)) + row.first_token_s) * 1e3, one.terms)
    return Point(_in_metric(row, metric, run.output_tokens_per_s() / row.chips, tpot, first), one.terms)
