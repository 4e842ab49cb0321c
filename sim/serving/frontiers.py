"""Throughput per chip against speed per user, over the batch of the chosen units, at the median draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.serving.aggregated import AggregatedPool, shared_step
from sim.serving.candidates import Setting
from sim.serving.explain import Unit
from sim.serving.iteration import decode_step_time
from sim.serving.job import ServingJob
from sim.serving.pools import DecodePool

POINTS = 24


def _median_draw(rate: NDArray[np.float64]) -> NDArray[np.int_]:
    return np.argsort(rate)[[len(rate) // 2]]


def _batches(
    job: ServingJob, fitting: NDArray[np.float64] | float, index: NDArray[np.int_], draws: int
) -> NDArray[np.float64]:
    """Batches from one sequence to all that fit, (batches, 1)."""
    room = np.broadcast_to(fitting, draws)[index]
    return np.geomspace(1.0, float(np.max(np.minimum(room, job.engine.max_batch))), POINTS)[:, None]


def pooled_frontier(
    setting: Setting,
    choice: Unit,
    pool: DecodePool,
    prefill_rate: NDArray[np.float64],
    rate: NDArray[np.float64],
    ranks: int,
) -> tuple[tuple[float, float], ...]:
    index = _median_draw(rate)
    if rate[index[0]] <= 0:
        return ()
    where, chosen = setting.at(index), choice.at(index)
    job, shape = where.job, chosen.shape
    batch = _batches(job, pool.fitting_batch, index, len(rate))
    step = decode_step_time(job, where.chip, where.network, shape, batch, job.traffic.context)
    per_rank = batch * job.engine.accepted / (step.total_s * shape.tp)
    output = job.traffic.output.mean
    both = ranks * output / (output / per_rank + 1.0 / prefill_rate[index])
    users = job.engine.accepted / step.total_s
    return tuple(zip(np.ravel(users).tolist(), np.ravel(both).tolist(), strict=True))


def shared_frontier(
    setting: Setting, choice: Unit, pool: AggregatedPool, rate: NDArray[np.float64], ranks: int
) -> tuple[tuple[float, float], ...]:
    index = _median_draw(rate)
    if rate[index[0]] <= 0:
        return ()
    where, chosen = setting.at(index), choice.at(index)
    job = replace(where.job, engine=replace(where.job.engine, chunk_tokens=chosen.chunk))
    batch = _batches(job, pool.fitting_batch, index, len(rate))
    step = shared_step(job, where.chip, where.network, chosen.shape, batch, job.traffic.context)
    users = job.engine.accepted / step.mean_s
    both = ranks * batch * users / chosen.tp
    return tuple(zip(np.ravel(users).tolist(), np.ravel(both).tolist(), strict=True))
