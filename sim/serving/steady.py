"""Serving at a given load in balance: so many clients, or as many requests as fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.cache import kv_cache_bytes, kv_shards
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import SharedStep, shared_step
from sim.serving.iteration import StepTime, decode_step_time
from sim.serving.job import ServingJob, UnitShape
from sim.serving.pools import rank_memory

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Balance:
    """An attention replica in balance.

    Attributes
    ----------
    requests_per_s : Array
        Finished per replica [1/s].
    batch : Array
        Sequences being decoded [sequence].
    ttft_s, tpot_s : Array
        Mean latency [s].
    terms : dict of str to Array
        Time of the mean step by cause [s].
    """

    requests_per_s: Array
    batch: Array
    ttft_s: Array
    tpot_s: Array
    terms: dict[str, Array]


def resident_limit(job: ServingJob, chip: Chip, shape: UnitShape, tokens: Array) -> Array:
    """Sequences that a replica can hold when each takes the cache of ``tokens`` tokens, at most the engine's limit."""
    memory = rank_memory(job, chip, shape)
    each = kv_cache_bytes(job.architecture, tokens, job.precisions) / np.minimum(
        shape.tp, kv_shards(job.architecture)
    )
    return np.minimum(np.maximum(memory.room / each, 1.0), job.engine.max_batch)


def aggregated_balance(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    clients: Array,
    limit: Array,
    delay_s: Array = 0.0,
) -> Balance:
    """A replica that reads prompts and decodes for ``clients`` clients who always have one request in the system.

    Parameters
    ----------
    clients : Array
        Requests in flight per attention replica; inf: as many as the replica admits.
    limit : Array
        Most sequences it admits.
    delay_s : Array
        Time for which the scheduler holds a prompt back [s].

    Notes
    -----
    N = X (TTFT + O TPOT): residents B are what the clients' requests leave after waiting for their first token. Found by
    bisection, since both X and TTFT grow with B.
    """
    context, output, accepted = job.traffic.context, job.traffic.output.mean, job.engine.accepted
    new = np.maximum(job.traffic.prompt.mean * (1.0 - np.asarray(job.traffic.prefix_hit)), 1.0)

    def at(batch: Array) -> tuple[SharedStep, Array, Array]:
        step = shared_step(job, chip, network, shape, batch, context)
        rate = batch * accepted / (step.mean_s * output)
        reading = np.maximum(new / step.chunk, 1.0) * (step.decode.total_s + step.prompt_cost_s)
        return step, rate, step.mean_s / 2 + reading + delay_s

    def fits(batch: Array) -> NDArray[np.bool_]:
        _, rate, first = at(batch)
        return np.asarray(batch + rate * first <= clients)

    batch = _largest(fits, np.minimum(limit, clients))
    step, rate, first = at(batch)
    waiting = np.where(np.isfinite(clients), np.maximum(clients - batch - rate * first, 0.0) / rate, 0.0)
    below_limit = batch < 0.999 * np.minimum(limit, clients)  # nobody waits there
    waiting = np.where(below_limit, 0.0, waiting)
    terms = dict(step.decode.terms) | {"prompts": step.mean_s - step.decode.total_s}
    return Balance(rate, batch, first + waiting, step.mean_s / accepted, terms)


def disaggregated_balance(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    clients: Array,
    limit: Array,
    prefill_rate: Array,
    prefill_s: Array,
) -> Balance:
    """A decode replica fed by a prefill pool, for ``clients`` clients.

    Parameters
    ----------
    prefill_rate : Array
        Prompts per second that the prefill pool reads for this replica [1/s].
    prefill_s : Array
        Time to first token without a queue, sending of the cache included [s].
    """
    context, output, accepted = job.traffic.context, job.traffic.output.mean, job.engine.accepted

    def at(batch: Array) -> tuple[StepTime, Array]:
        step = decode_step_time(job, chip, network, shape, batch, context)
        return step, batch * accepted / (step.total_s * output)

    def fits(batch: Array) -> NDArray[np.bool_]:
        _, rate = at(batch)
        return np.asarray((rate <= prefill_rate) & (batch + rate * prefill_s <= clients))

    batch = _largest(fits, np.minimum(limit, clients))
    step, rate = at(batch)
    first = np.maximum((clients - batch) / rate, prefill_s)
    return Balance(rate, batch, first, step.total_s / accepted, dict(step.terms))


def _largest(fits, limit: Array) -> Array:  # type: ignore[no-untyped-def]
    """Largest batch up to ``limit`` that fits, at least a hundredth of a sequence."""
    high = np.log(np.asarray(limit, dtype=float)) + 0.0 * np.asarray(fits(limit), dtype=float)
    low = np.full_like(high, np.log(0.01))
    whole = fits(limit)
    for _ in range(18):
        middle = (low + high) / 2
        met = fits(np.exp(middle))
        low, high = np.where(met, middle, low), np.where(met, high, middle)
    return np.where(whole, limit, np.exp(low))
