"""Unit shapes in order of what they serve within the promise, with all inputs at one value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import aggregated_pool
from sim.serving.candidates import (
    CHUNKS,
    CONTEXT_PARALLEL,
    Setting,
    candidate_units,
    fleet_of_ranks,
    ranks_in_queue,
)
from sim.serving.explain import Unit, unit_names
from sim.serving.job import ServingJob
from sim.serving.pools import decode_pool, prefill_pool


@dataclass(frozen=True, slots=True)
class RankedUnit:
    """A unit shape that was tried.

    Attributes
    ----------
    phase : str
        "prefill", "decode" or "prefill and decode".
    name : str
        The instance in words.
    ranks : float
        Ranks of the instance.
    requests_per_s : float
        Per chip of its own pool, within the promise; 0 where it cannot be kept.
    """

    phase: str
    name: str
    ranks: float
    requests_per_s: float


def ranked_units(
    job: ServingJob, chip: Chip, network: Network, chips: float, prefill_share: float, top: int
) -> tuple[RankedUnit, ...]:
    """The best unit shapes of each phase, best first; of shapes that differ only in the way prompts are cut, the best.

    Parameters
    ----------
    job, chip, network :
        Of one world: scalars.
    prefill_share : float
        Share of the chips that read prompts [1].
    """
    setting = fleet_of_ranks(job, chip, network, chips)
    if job.pools == "aggregated":
        return _best("prefill and decode", setting, *_shared(setting), chip.ranks, top)
    reading = _best("prefill", setting, *_reading(setting, prefill_share), chip.ranks, top)
    return (*reading, *_best("decode", setting, *_writing(setting), chip.ranks, top))


Rated = tuple[Unit, NDArray[np.float64]]


def _shared(setting: Setting) -> Rated:
    units = candidate_units(setting, CHUNKS[1:4], (1.0,))
    job = replace(setting.job, engine=replace(setting.job.engine, chunk_tokens=units.chunk))
    pool = aggregated_pool(
        job, setting.chip, setting.network, units.shape, ranks_in_queue(setting, units, 1.0)
    )
    return units, np.asarray(pool.requests_per_s)


def _writing(setting: Setting) -> Rated:
    units = candidate_units(setting, (0.0,), (1.0,))
    pool = decode_pool(setting.job, setting.chip, setting.network, units.shape)
    return units, np.asarray(pool.tokens_per_s / setting.job.traffic.output.mean)


def _reading(setting: Setting, share: float) -> Rated:
    units = candidate_units(setting, CHUNKS, CONTEXT_PARALLEL)
    ranks = ranks_in_queue(setting, units, share)
    pool = prefill_pool(
        setting.job, setting.chip, setting.network, units.shape, units.chunk, ranks, units.context_parallel
    )
    return units, np.asarray(pool.requests_per_s)


def _best(
    phase: str, setting: Setting, units: Unit, rates: NDArray[np.float64], ranks_per_chip: int, top: int
) -> tuple[RankedUnit, ...]:
    flat = np.broadcast_to(rates, (len(units.tp), 1))[:, 0]
    seen: dict[tuple[float, float], int] = {}
    for row in np.argsort(-flat, kind="stable"):
        seen.setdefault((float(units.tp[row, 0]), float(units.dp[row, 0])), int(row))
    rows = list(seen.values())[:top]
    chosen = Unit(*(field[rows, 0] for field in (units.tp, units.dp, units.chunk, units.context_parallel)))
    sizes = np.ravel(np.asarray(chosen.shape.ranks))
    return tuple(
        RankedUnit(phase, name, float(size), float(flat[row]) * ranks_per_chip)
        for name, size, row in zip(unit_names(chosen), sizes, rows, strict=True)
    )
