"""How many requests a cluster serves within its promise, in closed form, on all draws at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import AggregatedPool, aggregated_pool, shared_step
from sim.serving.draws import count_draws, take_draws
from sim.serving.explain import (
    Unit,
    activity,
    computed,
    decode_limits,
    most,
    prefill_limits,
    reasons,
    unit_names,
    utilisation,
)
from sim.serving.iteration import decode_step_time
from sim.serving.job import ServingJob, as_ranks
from sim.serving.pools import DecodePool, PrefillPool, decode_pool, prefill_pool
from sim.serving.shapes import unit_shapes

Array = NDArray[np.float64] | float
CHUNKS = (1024.0, 2048.0, 4096.0, 8192.0, 16384.0)  # prompt tokens per rank and pass that are tried
CONTEXT_PARALLEL = (1.0, 4.0, 16.0)  # replicas that may share a prompt
SAMPLE = 12  # draws on which every shape is tried; the winners and runners-up go on to all draws
BLOCK = 64  # draws on which every shape is tried again at a time
RUNNERS_UP = 2


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one chip of a serving fleet does at the highest load that keeps the promise.

    Arrays have one entry per draw.

    Attributes
    ----------
    requests_per_s, output_tokens_per_s, input_tokens_per_s : ndarray (draws,)
        Per chip of the fleet, prefill and decode chips together; input tokens are those not found in the
        cache.
    batch_per_chip : ndarray (draws,)
        Mean sequences per decode chip [sequence].
    tpot_s, ttft_s : ndarray (draws,)
        Latency at the promised percentile [s].
    prefill_share : ndarray (draws,)
        Share of the chips that read prompts [1]; in aggregated pools, share of the time.
    limits : mapping of str to str
        Phase to what binds it, in words, in most draws.
    utilisation : mapping of str to ndarray (draws,)
        Use of each resource in the mean decode step over its peak [1].
    decode_terms, prefill_terms : mapping of str to ndarray (draws,)
        Time of the mean decode step and of a prefill pass by cause [s].
    activity : ndarray (draws,)
        Time-averaged activity of a chip between idle and sustained matrix load, for power [1].
    shape : str
        Unit shape most often best.
    decode_unit, prefill_unit : Unit
        The instances of each draw; the same one in aggregated pools.
    peak_batch, fitting_batch : ndarray (draws,)
        Sequences per attention replica at the promised percentile, and those there is cache for [sequence].
    frontier : tuple of (float, float)
        Output tokens per second and user against per chip, over batch, at the median draw.
    reason : str
        Why draws gave nothing, in plain words; empty when none did.
    """

    requests_per_s: NDArray[np.float64]
    output_tokens_per_s: NDArray[np.float64]
    input_tokens_per_s: NDArray[np.float64]
    batch_per_chip: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    ttft_s: NDArray[np.float64]
    prefill_share: NDArray[np.float64]
    limits: Mapping[str, str]
    utilisation: Mapping[str, NDArray[np.float64]]
    decode_terms: Mapping[str, NDArray[np.float64]]
    prefill_terms: Mapping[str, NDArray[np.float64]]
    activity: NDArray[np.float64]
    shape: str
    decode_unit: Unit
    prefill_unit: Unit
    peak_batch: NDArray[np.float64]
    fitting_batch: NDArray[np.float64]
    frontier: tuple[tuple[float, float], ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A job on ranks of a fleet."""

    job: ServingJob
    chip: Chip
    network: Network
    ranks: float

    @property
    def draws(self) -> int:
        return count_draws(self.job, self.chip, self.network)

    def at(self, index: NDArray[np.int_]) -> Setting:
        """The same with only some of the draws."""
        return Setting(
            take_draws(self.job, index),
            take_draws(self.chip, index),
            take_draws(self.network, index),
            self.ranks,
        )


def serving_capacity(job: ServingJob, chip: Chip, network: Network, chips: float) -> Capacity:
    """Highest load per chip that keeps the promise, over unit shapes, on all draws.

    Parameters
    ----------
    job : ServingJob
        Numbers may be scalars or arrays of draws.
    chip, network :
        Of whole packages; split into ranks here.
    chips : float
        Chips of the fleet: bounds the unit and sets how many instances share a queue.

    Notes
    -----
    In disaggregated pools the best decode shape and the best prefill shape are independent, and chips divide
    so that both pools handle the same requests: 1 / x = 1 / x_prefill + 1 / x_decode. Every shape is tried
    on a few draws; winners and runners-up go on to all of them, and where none keeps the promise, every shape.
    """
    setting = fleet_of_ranks(job, chip, network, chips)
    if job.pools == "aggregated":
        return _aggregated(setting, chip.ranks)
    return _disaggregated(setting, chip.ranks)


def fleet_of_ranks(job: ServingJob, chip: Chip, network: Network, chips: float) -> Setting:
    """The job on the ranks that software sees in so many chips."""
    return Setting(job, *as_ranks(chip, network, chip.ranks), chips * chip.ranks)


def candidate_units(setting: Setting, chunks: tuple[float, ...], context_parallel: tuple[float, ...]) -> Unit:
    """Every unit shape with every chunk and context-parallel degree that goes with it."""
    shapes = unit_shapes(setting.job.architecture, setting.network, setting.ranks)
    dense = setting.job.architecture.moe is None
    rows = []
    for tp, dp in zip(np.ravel(shapes.tp), np.ravel(shapes.dp), strict=True):
        for cp in context_parallel:
            # Replicas of a dense model have nothing in common; those that share a prompt form the instance.
            replicas = cp if dense else dp
            if cp <= replicas and tp * replicas <= setting.ranks:
                rows += [(tp, replicas, chunk, cp) for chunk in chunks]
    tp, dp, chunk, cp = np.array(rows, dtype=float).T[:, :, None]
    return Unit(tp, dp, chunk, cp)


def _best(setting: Setting, candidates: Unit, score: Callable[[Setting, Unit], Array]) -> Unit:
    """The best candidate of each draw."""
    draws = setting.draws
    sample = np.unique(np.linspace(0, draws - 1, SAMPLE).astype(int))
    tried = np.broadcast_to(score(setting.at(sample), candidates), (len(candidates.tp), len(sample)))
    leaders = np.unique(np.argsort(tried, axis=0)[-1 - RUNNERS_UP :])
    kept = candidates.at(leaders)
    final = np.broadcast_to(score(setting, kept), (len(leaders), draws))
    winner = leaders[np.argmax(final, axis=0)]
    # Where none of them keeps the promise another shape may: a slow draw wants a longer team than the sample showed.
    lost = np.flatnonzero(final.max(axis=0) <= 0)
    for some in np.array_split(lost, np.ceil(len(lost) / BLOCK) or 1):
        if len(some):
            again = np.broadcast_to(score(setting.at(some), candidates), (len(candidates.tp), len(some)))
            winner[some] = np.argmax(again, axis=0)
    chosen = (candidates.tp, candidates.dp, candidates.chunk, candidates.context_parallel)
    return Unit(*(field[winner, 0] for field in chosen))


def _score(
    rate: Array, fastest: Array, target: Array, pool: DecodePool | PrefillPool | AggregatedPool
) -> Array:
    """Rate; below zero, nearer to zero the less the promise or the memory is missed."""
    missed = np.where(
        pool.memory.fits, -np.divide(fastest, target), -1e6 + np.minimum(pool.memory.room, 0.0) / 1e9
    )
    return np.where(rate > 0, rate, missed)


def _disaggregated(setting: Setting, ranks_per_chip: int) -> Capacity:
    targets, output = setting.job.targets, setting.job.traffic.output.mean

    def decode(where: Setting, choice: Unit) -> DecodePool:
        return decode_pool(where.job, where.chip, where.network, choice.shape)

    def prefill(where: Setting, choice: Unit, share: Array = 0.5) -> PrefillPool:
        pool_ranks = np.maximum(where.ranks * share, choice.shape.ranks)
        return prefill_pool(
            where.job,
            where.chip,
            where.network,
            choice.shape,
            choice.chunk,
            pool_ranks,
            choice.context_parallel,
        )

    def decode_score(where: Setting, choice: Unit) -> Array:
        pool = decode(where, choice)
        return _score(pool.tokens_per_s, pool.fastest_s, where.job.targets.tpot_s, pool)

    def prefill_score(where: Setting, choice: Unit) -> Array:
        pool = prefill(where, choice)
        return _score(pool.requests_per_s, pool.unloaded_s, where.job.targets.ttft_s, pool)

    decoding = _best(setting, candidate_units(setting, (0.0,), (1.0,)), decode_score)
    reading = _best(setting, candidate_units(setting, CHUNKS, CONTEXT_PARALLEL), prefill_score)
    decoder, reader = decode(setting, decoding), prefill(setting, reading)
    share = _prefill_share(reader, decoder, output)
    reader = prefill(setting, reading, share)  # the pool it really is decides how many share the queue
    share = _prefill_share(reader, decoder, output)
    rate = ranks_per_chip * np.where(
        (reader.requests_per_s > 0) & (decoder.tokens_per_s > 0), share * reader.requests_per_s, 0.0
    )
    one = np.ones(setting.draws)
    at_prefill, at_decode = activity(reader.step, setting.chip), activity(decoder.step, setting.chip)
    working = share * reader.load * at_prefill + (1 - share) * at_decode
    return Capacity(
        requests_per_s=rate * one,
        output_tokens_per_s=rate * output * one,
        input_tokens_per_s=rate * computed(setting.job) * one,
        batch_per_chip=decoder.batch / decoding.tp * ranks_per_chip * one,
        tpot_s=decoder.tpot_s * one,
        ttft_s=reader.ttft_s * one,
        prefill_share=share * one,
        limits={
            "prefill": most(prefill_limits(reader, one)),
            "decode": most(decode_limits(setting.job, decoder, one)),
        },
        utilisation=utilisation(decoder.step, decoder.batch, decoder.fitting_batch, one),
        decode_terms={name: value * one for name, value in decoder.step.terms.items()},
        prefill_terms={name: value * one for name, value in reader.step.terms.items()},
        activity=working * one,
        shape=f"prefill {most(unit_names(reading))}; decode {most(unit_names(decoding))}",
        decode_unit=decoding,
        prefill_unit=reading,
        peak_batch=decoder.peak_batch * one,
        fitting_batch=decoder.fitting_batch * one,
        frontier=_frontier(setting, decoding, reader.requests_per_s * one, rate * one, ranks_per_chip),
        reason=reasons(rate * one, decoder, decoder.fastest_s, reader.unloaded_s, targets, one),
    )


def _prefill_share(reader: PrefillPool, decoder: DecodePool, output: Array) -> Array:
    """Share of the ranks that read prompts when both pools handle the same requests."""
    reading = 1.0 / np.maximum(reader.requests_per_s, 1e-30)
    writing = output / np.maximum(decoder.tokens_per_s, 1e-30)
    return reading / (reading + writing)


def _aggregated(setting: Setting, ranks_per_chip: int) -> Capacity:
    targets, output = setting.job.targets, setting.job.traffic.output.mean

    def serve(where: Setting, choice: Unit) -> AggregatedPool:
        job = replace(where.job, engine=replace(where.job.engine, chunk_tokens=choice.chunk))
        return aggregated_pool(job, where.chip, where.network, choice.shape, where.ranks)

    def score(where: Setting, choice: Unit) -> Array:
        pool = serve(where, choice)
        missed = np.maximum(
            pool.fastest_s / where.job.targets.tpot_s, pool.unloaded_s / where.job.targets.ttft_s
        )
        return _score(pool.requests_per_s, missed, 1.0, pool)

    choice = _best(setting, candidate_units(setting, CHUNKS[1:4], (1.0,)), score)
    pool = serve(setting, choice)
    one = np.ones(setting.draws)
    rate = pool.requests_per_s * ranks_per_chip * one
    reading = pool.step.frequency * pool.step.prompt_cost_s
    share = reading / pool.step.mean_s
    mean = pool.step.decode
    prompts = pool.step.prompt_step
    return Capacity(
        requests_per_s=rate,
        output_tokens_per_s=rate * output,
        input_tokens_per_s=rate * computed(setting.job),
        batch_per_chip=pool.batch / choice.tp * ranks_per_chip * one,
        tpot_s=pool.tpot_s * one,
        ttft_s=pool.ttft_s * one,
        prefill_share=share * one,
        limits={"prefill and decode": most(decode_limits(setting.job, pool, one))},
        utilisation=utilisation(mean, pool.batch, pool.fitting_batch, one),
        decode_terms={name: value * one for name, value in mean.terms.items()} | {"prompts": reading * one},
        prefill_terms={name: value * one for name, value in prompts.terms.items()},
        activity=(share * activity(prompts, setting.chip) + (1 - share) * activity(mean, setting.chip)) * one,
        shape=most(unit_names(choice)),
        decode_unit=choice,
        prefill_unit=choice,
        peak_batch=pool.peak_batch * one,
        fitting_batch=pool.fitting_batch * one,
        frontier=_shared_frontier(setting, choice, rate, ranks_per_chip),
        reason=reasons(rate, pool, pool.fastest_s, pool.unloaded_s, targets, one),
    )


def _median_draw(rate: NDArray[np.float64]) -> NDArray[np.int_]:
    return np.argsort(rate)[[len(rate) // 2]]


def _frontier(
    setting: Setting,
    choice: Unit,
    prefill_rate: NDArray[np.float64],
    rate: NDArray[np.float64],
    ranks: int,
) -> tuple[tuple[float, float], ...]:
    index = _median_draw(rate)
    if rate[index[0]] <= 0:
        return ()
    where, chosen = setting.at(index), choice.at(index)
    job, shape = where.job, chosen.shape
    room = decode_pool(job, where.chip, where.network, shape).fitting_batch
    batch = np.geomspace(1.0, float(np.max(np.minimum(room, job.engine.max_batch))), 24)[:, None]
    step = decode_step_time(job, where.chip, where.network, shape, batch, job.traffic.context)
    per_rank = batch * job.engine.accepted / (step.total_s * shape.tp)
    output = job.traffic.output.mean
    both = ranks * output / (output / per_rank + 1.0 / prefill_rate[index])
    users = job.engine.accepted / step.total_s
    return tuple(zip(np.ravel(users).tolist(), np.ravel(both).tolist(), strict=True))


def _shared_frontier(
    setting: Setting, choice: Unit, rate: NDArray[np.float64], ranks: int
) -> tuple[tuple[float, float], ...]:
    index = _median_draw(rate)
    if rate[index[0]] <= 0:
        return ()
    where, chosen = setting.at(index), choice.at(index)
    job = replace(where.job, engine=replace(where.job.engine, chunk_tokens=chosen.chunk))
    room = aggregated_pool(job, where.chip, where.network, chosen.shape, where.ranks).fitting_batch
    batch = np.geomspace(1.0, float(np.max(np.minimum(room, job.engine.max_batch))), 24)[:, None]
    step = shared_step(job, where.chip, where.network, chosen.shape, batch, job.traffic.context)
    users = job.engine.accepted / step.mean_s
    both = ranks * batch * users / chosen.tp
    return tuple(zip(np.ravel(users).tolist(), np.ravel(both).tolist(), strict=True))
