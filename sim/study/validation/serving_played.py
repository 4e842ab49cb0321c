"""Rows of the serving table whose queue is played request by request."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from sim.quantity import Array
from sim.serving.aggregated import shared_step
from sim.serving.cluster import ClusterPlan, PoolPlan, simulate
from sim.serving.iteration import decode_step_time
from sim.serving.job import UnitShape
from sim.serving.steady import Balance, aggregated_balance
from sim.serving.step_costs import decode_costs, prompt_cost, scalar, shared_prompt_token_s
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests, poisson_arrivals
from sim.study.validation.serving_cases import serving_shape
from sim.study.validation.serving_rows import Point, Row, in_metric
from sim.study.validation.serving_runs import resolve_row

ROUNDS = 10  # requests per client where a closed loop does not say how many were sent
PLAYED = 12_000  # requests at most; the rest of a longer run goes on like the end of what was played
OPEN_RUN = 1_000  # requests of an open loop that does not say how many were sent


def _instance_plan(row: Row, balance: Balance, shape: UnitShape) -> ClusterPlan:
    """One instance of a row as the event engine plays it."""
    case, job = row.case, row.job
    replicas = float(shape.dp)
    limit = scalar(row.residents(shape, row.held()))
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


def _requests(row: Row, count: int, rng: np.random.Generator, rate: float = 0.0) -> Requests:
    """Requests as load generators draw them: lengths uniform from eight ninths to ten ninths of the mean."""
    draws = rng.uniform(8 / 9, 10 / 9, (2, count))
    prompt = np.maximum(np.rint(row.case.number("isl") * draws[0]), 1).astype(np.int32)
    output = np.maximum(np.rint(row.output * draws[1]), 1).astype(np.int32)
    hit = row.case.number("cached_fraction", 0.0)
    cached = np.minimum(np.rint(hit * prompt).astype(np.int32), prompt - 1)
    arrivals = poisson_arrivals(rate, count, rng) if rate else np.zeros(count)
    return Requests(arrivals, prompt, output, cached)


def played_ttft(row: Row, balance: Balance, shape: UnitShape) -> Array:
    """Mean time to first token with the queue, the start-up burst included, played once with median inputs [s]."""
    middle = resolve_row(row.setting)  # the event engine plays one world
    clients = int(max(row.case.number("concurrency_total", 1.0) / row.instances, 1))
    count = int(row.case.number("n_requests", ROUNDS * clients * row.instances) / row.instances)
    if 2 * clients > PLAYED:  # too many to play: the closed form, without the burst
        return balance.ttft_s + row.first_token_s
    requests = _requests(row, min(max(count, clients), PLAYED), np.random.default_rng(1))
    at_median = replace(balance, batch=float(np.median(np.asarray(balance.batch))))
    run = simulate(_instance_plan(middle, at_median, shape), requests, clients=clients)
    # Other worlds differ by what their closed form differs.
    shift = np.asarray(balance.tpot_s) / np.median(np.asarray(balance.tpot_s))
    played = float(np.mean(run.ttft_s))
    if count > PLAYED:
        late = float(np.mean(run.ttft_s[PLAYED // 2 :]))
        played = late + (played - late) * PLAYED / count
    return played * shift + row.first_token_s + row.prompt_delay_s


def open_loop(row: Row) -> Point:
    """Open loop at a mean rate; the trace itself is not in the table, so arrivals are Poisson."""
    shape = serving_shape(row.case)
    middle = resolve_row(row.setting)
    sent = row.case.number("n_requests", float(OPEN_RUN))
    count = max(min(int(sent / row.instances), PLAYED), 1)
    requests = _requests(
        row, count, np.random.default_rng(1), row.case.number("request_rate_total") / row.instances
    )
    # The prompt cost of the engine is that near the load that the requests reach if nothing holds them back.
    cap = np.minimum(middle.job.engine.max_batch, count / float(shape.dp))
    one = aggregated_balance(middle.job, middle.chip, middle.network, shape, cap, cap)
    run = simulate(_instance_plan(middle, one, shape), requests)
    first = float(np.mean(run.ttft_s)) + row.first_token_s
    rate = run.output_tokens_per_s() * row.instances / row.chips
    tpot = float(np.nanmean(run.tpot_s))
    shift = _other_worlds(row, middle, shape, tpot)
    value = in_metric(row, rate, tpot * shift, first)
    if row.case.text("metric") == "e2e_ms":
        value = (float(np.mean(run.e2e_s)) * shift + row.first_token_s) * 1e3
    note = "" if row.case.text("n_requests") else f"n_requests not published: {OPEN_RUN:,} taken"
    return Point(value, one.terms, note)


def _other_worlds(row: Row, middle: Row, shape: UnitShape, tpot: float) -> Array:
    """Decode step of a row in its worlds over that in the one which was played, at the batch that its rate implies [1]."""
    rate = row.case.number("request_rate_total") / (row.instances * float(shape.dp))
    batch = np.minimum(np.maximum(rate * row.output * tpot, 0.01), middle.job.engine.max_batch)

    def step(of: Row) -> Array:
        return decode_step_time(of.job, of.chip, of.network, shape, batch, of.job.traffic.context).total_s

    return step(row) / step(middle)
