"""How many requests a cluster serves within its promise, in closed form, on all draws at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import AggregatedPool, aggregated_pool
from sim.serving.candidates import (
    CHUNKS,
    CONTEXT_PARALLEL,
    Setting,
    best_units,
    candidate_units,
    fleet_of_ranks,
    leading_units,
    ranks_in_queue,
    score_of,
)
from sim.serving.explain import (
    Unit,
    activity,
    binding_shares,
    computed,
    decode_limits,
    most,
    prefill_limits,
    reasons,
    unit_names,
    utilisation,
)
from sim.serving.frontiers import pooled_frontier, shared_frontier
from sim.serving.job import ServingJob
from sim.serving.pools import DecodePool, PrefillPool, decode_pool, full_pass, prefill_pool

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one chip of a serving fleet does at the highest load that keeps the promise.

    Arrays have one entry per draw.

    Attributes
    ----------
    requests_per_s, output_tokens_per_s, input_tokens_per_s : ndarray (draws,)
        Per chip of the fleet, prefill and decode chips together; input tokens are those not found in the
        cache.
    prefill_requests_per_s, decode_requests_per_s : ndarray (draws,)
        Per chip of the pool that reads, and of the one that writes, each at its own highest load; in aggregated pools
        that of the fleet [1/s].
    batch_per_chip : ndarray (draws,)
        Mean sequences per decode chip [sequence].
    tpot_s, ttft_s : ndarray (draws,)
        Latency at the promised percentile [s].
    prefill_share : ndarray (draws,)
        Share of the chips that read prompts [1]; in aggregated pools, share of the time.
    limits : mapping of str to str
        Phase to what binds it, in words, in most draws.
    utilisation, prefill_utilisation : mapping of str to ndarray (draws,)
        Use of each resource over its peak, in the mean decode step and in the time of a prefill chip [1].
    decode_bounds, prefill_bounds : mapping of str to ndarray (draws,)
        Share of a decode step and of a prefill pass that each kind of limit takes, in words [1].
    decode_terms, prefill_terms : mapping of str to ndarray (draws,)
        Time of the mean decode step and of a prefill pass by cause [s].
    activity : ndarray (draws,)
        Time-averaged activity of a chip between idle and sustained matrix load, for power [1].
    prefill_activity : ndarray (draws,)
        The same of a chip that reads prompts alone; in aggregated pools, while it does [1].
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
    prefill_requests_per_s: NDArray[np.float64]
    decode_requests_per_s: NDArray[np.float64]
    batch_per_chip: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    ttft_s: NDArray[np.float64]
    prefill_share: NDArray[np.float64]
    limits: Mapping[str, str]
    utilisation: Mapping[str, NDArray[np.float64]]
    prefill_utilisation: Mapping[str, NDArray[np.float64]]
    decode_bounds: Mapping[str, NDArray[np.float64]]
    prefill_bounds: Mapping[str, NDArray[np.float64]]
    decode_terms: Mapping[str, NDArray[np.float64]]
    prefill_terms: Mapping[str, NDArray[np.float64]]
    activity: NDArray[np.float64]
    prefill_activity: NDArray[np.float64]
    shape: str
    decode_unit: Unit
    prefill_unit: Unit
    peak_batch: NDArray[np.float64]
    fitting_batch: NDArray[np.float64]
    frontier: tuple[tuple[float, float], ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Units that are tried on every draw, (rows, 1).

    Attributes
    ----------
    writing : Unit
        That decode, or do both.
    reading : Unit or None
        That read prompts alone; None in aggregated pools.
    """

    writing: Unit
    reading: Unit | None


def shortlist(job: ServingJob, chip: Chip, network: Network, chips: float) -> Shortlist:
    """Units that lead on some of the draws; parameters as of :func:`serving_capacity`."""
    setting = fleet_of_ranks(job, chip, network, chips)
    if job.pools == "aggregated":
        return Shortlist(leading_units(setting, _sharing(setting), _shared_score), None)
    return Shortlist(
        leading_units(setting, _writing(setting), _decode_score),
        leading_units(setting, _reading(setting), _prefill_score),
    )


def serving_capacity(
    job: ServingJob, chip: Chip, network: Network, chips: float, tried: Shortlist | None = None
) -> Capacity:
    """Highest load per chip that keeps the promise, over unit shapes, on all draws.

    Parameters
    ----------
    job : ServingJob
        Numbers may be scalars or arrays of draws.
    chip, network :
        Of whole packages; split into ranks here.
    chips : float
        Chips of the fleet: bounds the unit.
    tried : Shortlist, optional
        Units to choose from; those that lead on some of the given draws when left out.

    Notes
    -----
    In disaggregated pools the best decode shape and the best prefill shape are independent, and chips divide
    so that both pools handle the same requests: 1 / x = 1 / x_prefill + 1 / x_decode. Where no unit of the shortlist
    keeps the promise, every shape is tried.
    """
    setting = fleet_of_ranks(job, chip, network, chips)
    tried = shortlist(job, chip, network, chips) if tried is None else tried
    if job.pools == "aggregated":
        return _aggregated(setting, tried.writing, chip.ranks)
    return _disaggregated(setting, tried, chip.ranks)


def _writing(setting: Setting) -> Unit:
    return candidate_units(setting, (0.0,), (1.0,))


def _reading(setting: Setting) -> Unit:
    return candidate_units(setting, CHUNKS, CONTEXT_PARALLEL)


def _sharing(setting: Setting) -> Unit:
    return candidate_units(setting, CHUNKS[1:4], (1.0,))


@dataclass(frozen=True, slots=True)
class _Pools:
    """Chosen units of both pools and the split of the ranks between them."""

    reading: Unit
    writing: Unit
    reader: PrefillPool
    decoder: DecodePool
    share: Array


def _prefill(where: Setting, choice: Unit, share: Array = 0.5) -> PrefillPool:
    ranks = ranks_in_queue(where, choice, share)
    return prefill_pool(
        where.job, where.chip, where.network, choice.shape, choice.chunk, ranks, choice.context_parallel
    )


def _decode(where: Setting, choice: Unit) -> DecodePool:
    return decode_pool(where.job, where.chip, where.network, choice.shape)


def _prefill_score(where: Setting, choice: Unit) -> Array:
    pool = _prefill(where, choice)
    slowest = np.max(pool.times.fixed, axis=0)
    return score_of(pool.requests_per_s, slowest, where.job.targets.ttft_s, pool)


def _decode_score(where: Setting, choice: Unit) -> Array:
    pool = _decode(where, choice)
    return score_of(pool.tokens_per_s, pool.fastest_s, where.job.targets.tpot_s, pool)


def _chosen_pools(setting: Setting, tried: Shortlist) -> _Pools:
    """The best unit of each pool, and the ranks divided so that both handle the same requests."""
    assert tried.reading is not None
    writing, tokens_per_s = best_units(setting, tried.writing, _writing(setting), _decode_score)
    reading, requests_per_s = best_units(setting, tried.reading, _reading(setting), _prefill_score)
    output = setting.job.traffic.output.mean
    share = _prefill_share(requests_per_s, tokens_per_s, output)
    decoder = _decode(setting, writing)
    reader = _prefill(setting, reading, share)  # a small fleet has fewer readers than a router
    share = _prefill_share(reader.requests_per_s, decoder.tokens_per_s, output)
    return _Pools(reading, writing, reader, decoder, share)


def _disaggregated(setting: Setting, tried: Shortlist, ranks_per_chip: int) -> Capacity:
    job, one = setting.job, np.ones(setting.draws)
    pools = _chosen_pools(setting, tried)
    reader, decoder, share = pools.reader, pools.decoder, pools.share
    read = full_pass(
        job,
        setting.chip,
        setting.network,
        pools.reading.shape,
        pools.reading.chunk,
        pools.reading.context_parallel,
    )
    served = (reader.requests_per_s > 0) & (decoder.tokens_per_s > 0)
    rate = ranks_per_chip * np.where(served, share * reader.requests_per_s, 0.0) * one
    at_prefill = reader.load * activity(read, setting.chip)
    reading = utilisation(read, 0.0, 1.0, one)
    return Capacity(
        requests_per_s=rate,
        output_tokens_per_s=rate * job.traffic.output.mean,
        input_tokens_per_s=rate * computed(job),
        prefill_requests_per_s=ranks_per_chip * reader.requests_per_s * one,
        decode_requests_per_s=ranks_per_chip * decoder.tokens_per_s / job.traffic.output.mean * one,
        batch_per_chip=decoder.batch / pools.writing.tp * ranks_per_chip * one,
        tpot_s=decoder.tpot_s * one,
        ttft_s=reader.first_token_s(job, reader.load) * one,
        prefill_share=share * one,
        limits={
            "prefill": most(prefill_limits(read, reader.load, one)),
            "decode": most(decode_limits(job, decoder, one)),
        },
        utilisation=utilisation(decoder.step, decoder.batch, decoder.fitting_batch, one),
        prefill_utilisation={n: use * reader.load for n, use in reading.items() if n != "cache memory"},
        decode_bounds=binding_shares(decoder.step, one),
        prefill_bounds=binding_shares(read, one),
        decode_terms={name: value * one for name, value in decoder.step.terms.items()},
        prefill_terms={name: value * one for name, value in read.terms.items()},
        activity=(share * at_prefill + (1 - share) * activity(decoder.step, setting.chip)) * one,
        prefill_activity=at_prefill * one,
        shape=f"prefill {most(unit_names(pools.reading))}; decode {most(unit_names(pools.writing))}",
        decode_unit=pools.writing,
        prefill_unit=pools.reading,
        peak_batch=decoder.peak_batch * one,
        fitting_batch=decoder.fitting_batch * one,
        frontier=pooled_frontier(
            setting, pools.writing, decoder, reader.requests_per_s * one, rate, ranks_per_chip
        ),
        reason=reasons(rate, decoder, decoder.fastest_s, reader.first_token_s(job, 0.0), job.targets, one),
    )


def _prefill_share(requests_per_s: Array, tokens_per_s: Array, output: Array) -> Array:
    """Share of the ranks that read prompts when both pools handle the same requests."""
    reading = 1.0 / np.maximum(requests_per_s, 1e-30)
    writing = output / np.maximum(tokens_per_s, 1e-30)
    return reading / (reading + writing)


def _shared(where: Setting, choice: Unit) -> AggregatedPool:
    job = replace(where.job, engine=replace(where.job.engine, chunk_tokens=choice.chunk))
    return aggregated_pool(job, where.chip, where.network, choice.shape, ranks_in_queue(where, choice, 1.0))


def _shared_score(where: Setting, choice: Unit) -> Array:
    pool, targets = _shared(where, choice), where.job.targets
    missed = np.maximum(pool.fastest_s / targets.tpot_s, pool.unloaded_s / targets.ttft_s)
    return score_of(pool.requests_per_s, missed, 1.0, pool)


def _aggregated(setting: Setting, tried: Unit, ranks_per_chip: int) -> Capacity:
    targets, output = setting.job.targets, setting.job.traffic.output.mean
    choice, _ = best_units(setting, tried, _sharing(setting), _shared_score)
    pool = _shared(setting, choice)
    one = np.ones(setting.draws)
    rate = pool.requests_per_s * ranks_per_chip * one
    reading = pool.step.frequency * pool.step.prompt_cost_s
    share = reading / pool.step.mean_s
    mean = pool.step.decode
    prompts = pool.step.prompt_step
    prompt_use = utilisation(prompts, 0.0, 1.0, one)
    return Capacity(
        requests_per_s=rate,
        output_tokens_per_s=rate * output,
        input_tokens_per_s=rate * computed(setting.job),
        prefill_requests_per_s=rate,
        decode_requests_per_s=rate,
        batch_per_chip=pool.batch / choice.tp * ranks_per_chip * one,
        tpot_s=pool.tpot_s * one,
        ttft_s=pool.ttft_s * one,
        prefill_share=share * one,
        limits={"prefill and decode": most(decode_limits(setting.job, pool, one))},
        utilisation=utilisation(mean, pool.batch, pool.fitting_batch, one),
        prefill_utilisation={n: u for n, u in prompt_use.items() if n != "cache memory"},
        decode_bounds=binding_shares(mean, one),
        prefill_bounds=binding_shares(prompts, one),
        decode_terms={name: value * one for name, value in mean.terms.items()} | {"prompts": reading * one},
        prefill_terms={name: value * one for name, value in prompts.terms.items()},
        activity=(share * activity(prompts, setting.chip) + (1 - share) * activity(mean, setting.chip)) * one,
        prefill_activity=activity(prompts, setting.chip) * one,
        shape=most(unit_names(choice)),
        decode_unit=choice,
        prefill_unit=choice,
        peak_batch=pool.peak_batch * one,
        fitting_batch=pool.fitting_batch * one,
        frontier=shared_frontier(setting, choice, pool, rate, ranks_per_chip),
        reason=reasons(rate, pool, pool.fastest_s, pool.unloaded_s, targets, one),
    )
