"""Engines that read prompts and decode on the same ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.physics.serving_memory import ServingMemory, largest_batch
from sim.serving.iteration import StepTime, decode_step_time, mixed_step_time, prefill_time
from sim.serving.job import ServingJob, UnitShape
from sim.serving.pools import BATCH_ERROR, KIND_WEIGHTS, KINDS, mean_below_peak, prompt_kinds, rank_memory
from sim.serving.queueing import mean_wait, percentile_time, probability_of_waiting, share_waiting_less
from sim.serving.roots import largest_keeping

Array = NDArray[np.float64] | float
HIGHEST_LOAD = 0.98  # of the prompt tokens that fit into the steps; above, waits grow without bound


@dataclass(frozen=True, slots=True)
class SharedStep:
    """Mean step of an attention replica that serves ``batch`` residents and reads prompts at the same rate.

    Attributes
    ----------
    mean_s : Array
        Mean time of a step [s].
    decode : StepTime
        A step without prompt tokens.
    prompt_step : StepTime
        A step with a chunk (mixed), or a prefill pass (separate).
    prompt_cost_s : Array
        What a chunk adds [s].
    frequency : Array
        Share of the steps of the instance that a chunk lengthens [1].
    load : Array
        Prompt tokens over those that the steps can carry [1].
    chunk : Array
        Prompt tokens of a chunk [token].
    """

    mean_s: Array
    decode: StepTime
    prompt_step: StepTime
    prompt_cost_s: Array
    frequency: Array
    load: Array
    chunk: Array


def shared_step(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, batch: Array, context: Array
) -> SharedStep:
    """Mean step in balance: every finished request makes room for a new prompt.

    Parameters
    ----------
    batch : Array
        Residents per attention replica [sequence].
    context : Array
        Mean tokens in the cache of a resident [token].

    Notes
    -----
    Prompt tokens per replica and step P = B E[new] s / E[output]. A replica has a chunk of c tokens in a
    share f = P / c of its steps. Replicas of one instance step together, so a chunk on any of them slows
    all: in F = (1 - p) f + p (1 - (1 - f)^dp) of the steps, p = 0 when the scheduler aligns prompts, 1 when
    it does not; f / F of the replicas then have one.
    """
    traffic, engine = job.traffic, job.engine
    prompt = traffic.prompt.mean
    new = np.maximum(prompt * (1.0 - np.asarray(traffic.prefix_hit)), 1.0)
    finishing = batch * engine.accepted / traffic.output.mean
    tokens = finishing * new
    chunk = np.minimum(np.maximum(new, tokens), engine.chunk_tokens)
    share = np.minimum(tokens / chunk, 1.0)
    slowed = (1 - engine.prefill_spread) * share + engine.prefill_spread * (1 - (1 - share) ** shape.dp)
    active = share / np.maximum(slowed, 1e-12)
    part = np.minimum(new, chunk)
    # Tokens of long prompts attend to more: the mean over tokens, not over prompts, sets the attention work.
    hit = np.asarray(traffic.prefix_hit)
    attended = (1 + hit) / 2 * traffic.prompt.mean_square / prompt
    prompts = chunk / part, part, np.maximum(attended - part / 2, 0.0)
    decode = decode_step_time(job, chip, network, shape, batch, context)
    if engine.interleave == "mixed":
        prompt_step = mixed_step_time(job, chip, network, shape, (batch, context), prompts, active)
        cost = np.maximum(prompt_step.total_s - decode.total_s, 0.0)
    else:
        prompt_step = prefill_time(job, chip, network, shape, *prompts, active)
        cost = prompt_step.total_s
    # Beyond one full chunk per step, prompts pile up: the surplus is charged in full so that time keeps
    # growing.
    surplus = np.maximum(tokens / engine.chunk_tokens - 1.0, 0.0)
    return SharedStep(
        decode.total_s + (slowed + surplus) * cost,
        decode,
        prompt_step,
        cost,
        slowed,
        tokens / engine.chunk_tokens,
        chunk,
    )


@dataclass(frozen=True, slots=True)
class AggregatedPool:
    """Aggregated instances at their highest load.

    Attributes
    ----------
    requests_per_s : Array
        Per rank; 0 where the promise cannot be kept.
    batch, peak_batch, fitting_batch : Array
        Sequences per attention replica: mean, at the promised percentile, and with cache for them.
    tpot_s, ttft_s, fastest_s, unloaded_s : Array
        Latency at the promised percentile; time per token of one sequence and first token in an empty engine
        [s].
    step : SharedStep
        The mean step.
    """

    requests_per_s: Array
    batch: Array
    peak_batch: Array
    fitting_batch: Array
    tpot_s: Array
    ttft_s: Array
    fastest_s: Array
    unloaded_s: Array
    step: SharedStep
    memory: ServingMemory


def aggregated_pool(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, pool_ranks: Array
) -> AggregatedPool:
    """Aggregated serving at the largest batch that keeps both promises and whose cache fits."""
    context, accepted = job.traffic.context, job.engine.accepted
    memory = rank_memory(job, chip, shape)
    fitting = largest_batch(memory, job.architecture, job.precisions, context, shape.tp)
    limit = np.minimum(fitting, job.engine.max_batch)
    servers = np.maximum(np.divide(pool_ranks, shape.tp), 1.0)

    def excess(log_batch: NDArray[np.float64]) -> Array:
        step = shared_step(job, chip, network, shape, np.exp(log_batch), context)
        pace = np.log(step.mean_s / accepted / job.targets.tpot_s)
        late = job.targets.percentile - _share_in_time(job, step, servers)
        return np.maximum(np.maximum(pace, np.log(step.load / HIGHEST_LOAD)), late)

    top = np.maximum(limit, 1.0)
    found = np.exp(largest_keeping(excess, 0.0, np.log(top), BATCH_ERROR))
    peak = np.where((np.asarray(limit) >= 1.0) & ~np.isnan(found), found, 0.0)
    batch = mean_below_peak(peak, shape.dp, job.targets.percentile)
    served = np.maximum(batch, 1e-3)
    step = shared_step(job, chip, network, shape, served, context)
    at_peak = shared_step(job, chip, network, shape, np.maximum(peak, 1.0), context)
    alone = shared_step(job, chip, network, shape, 1.0 + 0.0 * top, context)
    rate = np.where(peak > 0, served * accepted / (step.mean_s * shape.tp * job.traffic.output.mean), 0.0)
    return AggregatedPool(
        rate,
        batch,
        peak,
        fitting,
        at_peak.mean_s / accepted,
        _ttft(job, at_peak, servers),
        alone.mean_s / accepted,
        _ttft(job, alone, servers),
        step,
        memory,
    )


def _ttft(job: ServingJob, step: SharedStep, servers: Array) -> Array:
    """Time to first token at the promised percentile [s]."""
    first = _first_token(job, step, servers)
    return percentile_time(first.fixed, KIND_WEIGHTS, first.wait, first.waits, job.targets.percentile)


def _share_in_time(job: ServingJob, step: SharedStep, servers: Array) -> Array:
    """Share of the requests whose first token keeps the promise [1]."""
    first = _first_token(job, step, servers)
    in_time = share_waiting_less(job.targets.ttft_s - first.fixed, first.wait, first.waits)
    return np.tensordot(KIND_WEIGHTS, in_time, 1)


@dataclass(frozen=True, slots=True)
class _FirstToken:
    """Time to first token: of each kind of prompt (kinds, ...) without its wait, mean wait, probability of one."""

    fixed: NDArray[np.float64]
    wait: Array
    waits: Array


def _first_token(job: ServingJob, step: SharedStep, servers: Array) -> _FirstToken:
    """Half a step, the queue for prompt slots, the prompt."""
    traffic = job.traffic
    prompts = prompt_kinds(traffic.prompt).reshape(KINDS, *([1] * (np.ndim(step.mean_s) - 1)), -1)
    new = np.maximum(prompts * (1.0 - np.asarray(traffic.prefix_hit)), 1.0)
    with_prompt = step.decode.total_s + step.prompt_cost_s
    work = new / job.engine.chunk_tokens * with_prompt
    fixed = step.mean_s / 2 + np.maximum(new / step.chunk, 1.0) * with_prompt + job.engine.outside_s
    load = np.minimum(step.load, HIGHEST_LOAD)
    service = np.tensordot(KIND_WEIGHTS, work, 1)
    spread = np.sqrt(np.maximum(np.tensordot(KIND_WEIGHTS, work * work, 1) / service**2 - 1.0, 0.0))
    wait = mean_wait(load, servers, service, traffic.burstiness, spread)
    return _FirstToken(fixed, wait, probability_of_waiting(load, servers))
