"""A prefill pool and a decode pool: the highest rate each keeps up within its latency promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim.physics.cache import kv_cache_bytes, kv_shards
from sim.physics.chip import Chip
from sim.physics.network import Network, point_to_point_time
from sim.physics.serving_memory import ServingMemory, largest_batch, serving_memory
from sim.serving.iteration import StepTime, decode_step_time, prefill_time
from sim.serving.job import ServingJob, UnitShape
from sim.serving.queueing import Passes, largest_load, mean_wait, percentile_time, probability_of_waiting
from sim.serving.roots import largest_keeping
from sim.serving.traffic import LengthDistribution

Array = NDArray[np.float64] | float
KIND_EDGES = np.array([0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.97, 0.99, 0.997, 1.0])
KIND_WEIGHTS = np.diff(KIND_EDGES)  # parts of the prompts, by length
KINDS = len(KIND_WEIGHTS)
BATCH_ERROR = 5e-4  # of the largest batch, as a share of it


@dataclass(frozen=True, slots=True)
class DecodePool:
    """Decode instances at their highest load.

    Attributes
    ----------
    tokens_per_s : Array
        Output tokens per second and rank; 0 where the promise cannot be kept.
    batch, peak_batch : Array
        Sequences per attention replica, on average and at the promised percentile.
    fitting_batch : Array
        Sequences per replica for which there is cache.
    tpot_s, fastest_s : Array
        Time per output token at the promised percentile, and with a single sequence [s].
    step : StepTime
        The mean step.
    memory : ServingMemory
        Of a rank.
    """

    tokens_per_s: Array
    batch: Array
    peak_batch: Array
    fitting_batch: Array
    tpot_s: Array
    fastest_s: Array
    step: StepTime
    memory: ServingMemory


@dataclass(frozen=True, slots=True)
class PrefillPool:
    """Prefill instances at their highest load.

    Attributes
    ----------
    requests_per_s : Array
        Prompts per second and rank; 0 where the promise cannot be kept.
    load : Array
        Share of the time the pool is busy [1].
    times : PromptTimes
        What reading a prompt takes.
    servers : Array
        Teams behind one queue.
    memory : ServingMemory
        Of a rank.
    """

    requests_per_s: Array
    load: Array
    times: PromptTimes
    servers: Array
    memory: ServingMemory

    def first_token_s(self, job: ServingJob, load: Array) -> Array:
        """Time to first token at the promised percentile, at a load [s]."""
        return self.times.first_token_s(job, load, self.servers)


def rank_memory(job: ServingJob, chip: Chip, shape: UnitShape) -> ServingMemory:
    """Memory of a rank of this job."""
    engine = job.engine
    return serving_memory(
        job.architecture,
        job.precisions,
        chip.memory_bytes,
        shape.tp,
        shape.ranks,
        engine.memory_use,
        engine.buffers_bytes,
        drafting=engine.drafts > 0,
        copies=np.where(np.asarray(shape.expert_ranks) > 1, engine.expert_copies, 0.0),
    )


def decode_pool(job: ServingJob, chip: Chip, network: Network, shape: UnitShape) -> DecodePool:
    """Decode at the largest batch whose time per token keeps the promise and whose cache fits.

    Notes
    -----
    Residents of a pool in balance vary as a Poisson count, so a request at the promised percentile z sees a
    batch of B + z sqrt(B) per instance. That batch must meet the target and fit; throughput is that of the
    mean batch B.
    """
    context, accepted = job.traffic.context, job.engine.accepted
    memory = rank_memory(job, chip, shape)
    fitting = largest_batch(memory, job.architecture, job.precisions, context, shape.tp)

    def tpot(batch: Array) -> Array:
        return decode_step_time(job, chip, network, shape, batch, context).total_s / accepted

    limit = np.minimum(fitting, job.engine.max_batch)
    peak = largest_within(tpot, limit, job.targets.tpot_s)
    batch = mean_below_peak(peak, shape.dp, job.targets.percentile)
    served = np.maximum(batch, 1e-3)
    step = decode_step_time(job, chip, network, shape, served, context)
    rate = np.where(peak > 0, served * accepted / (step.total_s * shape.tp), 0.0)
    return DecodePool(rate, batch, peak, fitting, tpot(np.maximum(peak, 1.0)), tpot(1.0), step, memory)


def largest_within(time: Callable[[Array], Array], limit: Array, target: Array) -> Array:
    """Largest batch from 1 to ``limit`` whose time does not exceed a target; 0 where there is none.

    ``time`` must not fall with the batch. The error is below 0.05 %, downwards.
    """
    top = np.log(np.maximum(limit, 1.0))
    found = largest_keeping(lambda batch: np.log(time(np.exp(batch)) / target), 0.0, top, BATCH_ERROR)
    return np.where((np.asarray(limit) >= 1.0) & ~np.isnan(found), np.exp(found), 0.0)


def mean_below_peak(peak: Array, replicas: Array, percentile: float) -> Array:
    """Mean batch per replica whose Poisson percentile over an instance is ``peak``: B + z sqrt(B / dp) =
    peak."""
    z = max(float(ndtri(percentile)), 0.0)
    total = np.multiply(peak, replicas)
    root = (np.sqrt(z * z + 4 * total) - z) / 2
    return np.square(root) / replicas


def prompt_kinds(prompt: LengthDistribution) -> NDArray[np.float64]:
    """Mean lengths of the parts of a length distribution, (kinds, 1) or (kinds, draws) [token].

    The parts, of frequency ``KIND_WEIGHTS``, are narrow at the long end, where work grows with the square.
    """
    return prompt.parts(KIND_EDGES)


def prefill_pool(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    chunk: Array,
    pool_ranks: Array,
    context_parallel: Array = 1.0,
) -> PrefillPool:
    """Prefill at the highest load at which waiting, reading and sending the cache keep the promise.

    Parameters
    ----------
    chunk : Array
        Prompt tokens per attention replica in one pass [token].
    pool_ranks : Array
        Ranks that share one queue: those behind one router.
    context_parallel : Array
        Attention replicas that split the tokens of one prompt among them and pass its cache around in a ring.

    Notes
    -----
    A prompt waits for the end of a pass, then for its turn (G/G/c, :mod:`sim.serving.queueing`), is read in at
    least one pass of the whole instance, and its cache is sent to the decode pool. Prompts of ten lengths
    stand for the distribution; the promise is kept when enough of them arrive in time.
    """
    times = prompt_times(job, chip, network, shape, chunk, context_parallel)
    servers = np.maximum(np.divide(pool_ranks, times.team), 1.0)
    limits = job.targets.ttft_s - times.fixed
    memory = rank_memory(job, chip, shape)
    load = largest_load(
        limits,
        KIND_WEIGHTS,
        servers,
        times.service,
        job.traffic.burstiness,
        times.spread,
        job.targets.percentile,
        times.passes,
    )
    load = np.where(memory.fits, load, 0.0)
    return PrefillPool(load / (times.service * times.team), load, times, servers, memory)


def full_pass(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, chunk: Array, context_parallel: Array
) -> StepTime:
    """A full pass over prompts of mean length; parameters as of :func:`prefill_pool`."""
    prompt = job.traffic.prompt.mean
    new = prompt * (1.0 - np.asarray(job.traffic.prefix_hit))
    part = np.minimum(new, np.multiply(chunk, context_parallel))
    return prefill_time(job, chip, network, shape, chunk / part, part, prompt - new + (new - part) / 2)


@dataclass(frozen=True, slots=True)
class PromptTimes:
    """What reading a prompt takes on a team of ranks.

    Attributes
    ----------
    fixed : ndarray (kinds, ...)
        Time to first token of each kind of prompt from the start of its first pass, without overhead [s].
    service, spread : Array
        Mean time a prompt occupies a team [s], and its coefficient of variation [1].
    together : Array
        Prompt tokens of one pass of a team [token].
    team : Array
        Ranks that read a prompt together.
    passes : Passes
        How teams take up prompts.
    """

    fixed: NDArray[np.float64]
    service: Array
    spread: Array
    together: Array
    team: Array
    passes: Passes

    def first_token_s(self, job: ServingJob, load: Array, servers: Array) -> Array:
        """Time to first token at the promised percentile, at a load of so many teams behind one queue [s]."""
        burstiness = job.traffic.burstiness
        busy = np.minimum(load, 1 - 1e-9)
        wait = mean_wait(busy, servers, self.service, burstiness, self.spread)
        waits = probability_of_waiting(load, servers)
        fixed = self.fixed + self.passes.own_s(busy)
        length = self.passes.length_s(busy)
        return percentile_time(fixed, KIND_WEIGHTS, wait, waits, job.targets.percentile, length)


def prompt_times(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    chunk: Array,
    context_parallel: Array = 1.0,
) -> PromptTimes:
    """Times of prompts of every kind; parameters as of :func:`prefill_pool`."""
    traffic = job.traffic
    prompts = prompt_kinds(traffic.prompt).reshape(KINDS, *([1] * (np.ndim(shape.tp) - 1)), -1)
    new = np.maximum(prompts * (1.0 - np.asarray(traffic.prefix_hit)), 1.0)
    together = np.multiply(chunk, context_parallel)
    part = np.minimum(new, together)
    past = prompts - new + (new - part) / 2
    passes = prefill_time(job, chip, network, shape, chunk / part, part, past).total_s
    passes = passes + _ring_time(job, network, shape, context_parallel, prompts)
    work = new / together * passes
    service = np.tensordot(KIND_WEIGHTS, work, 1)
    pass_s = service * together / np.tensordot(KIND_WEIGHTS, new, 1)
    spread = np.sqrt(np.maximum(np.tensordot(KIND_WEIGHTS, work * work, 1) / service**2 - 1.0, 0.0))
    team = np.multiply(shape.tp, context_parallel)
    # Teams of an expert instance keep step: a pass takes its full time, however little is left of a prompt.
    in_step = np.asarray((job.architecture.moe is not None) & (team < shape.ranks))
    alone = np.maximum(_single_pass(job, chip, network, shape, together, context_parallel) - service, 0.0)
    read = np.where(in_step, np.ceil(new / together - 1e-9) * passes, work)
    fixed = read + transfer_time(job, network, shape, prompts) + job.engine.outside_s
    return PromptTimes(fixed, service, spread, together, team, Passes(alone, pass_s, in_step))


def _single_pass(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, together: Array, context_parallel: Array
) -> Array:
    """Time of a pass with one prompt of mean length [s]."""
    traffic = job.traffic
    new = np.maximum(traffic.prompt.mean * (1.0 - np.asarray(traffic.prefix_hit)), 1.0)
    part = np.minimum(new, together)
    past = traffic.prompt.mean - part
    return prefill_time(job, chip, network, shape, 1.0 / np.asarray(context_parallel), part, past).total_s


def _ring_time(
    job: ServingJob, network: Network, shape: UnitShape, context_parallel: Array, prompt: Array
) -> Array:
    """Time for the cache of a prompt to go round the replicas that share it, once per pass [s]."""
    payload = kv_cache_bytes(job.architecture, prompt, job.precisions) / np.minimum(
        shape.tp, kv_shards(job.architecture)
    )
    sent = payload * (1.0 - 1.0 / np.asarray(context_parallel))
    span = np.multiply(shape.tp, context_parallel) + 0.0 * sent
    return np.where(np.asarray(context_parallel) > 1, point_to_point_time(sent, span, network), 0.0)


def transfer_time(job: ServingJob, network: Network, shape: UnitShape, prompt: Array) -> Array:
    """Time to send the cache of a prompt to another instance, every rank its own part [s]."""
    ranks_with_parts = np.minimum(shape.tp, kv_shards(job.architecture))
    payload = kv_cache_bytes(job.architecture, prompt, job.precisions) / ranks_with_parts
    return point_to_point_time(payload, shape.ranks + 0.0 * np.asarray(payload), network)
