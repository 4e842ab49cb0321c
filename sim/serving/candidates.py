"""Unit shapes that are tried for a job on a fleet, and the best of them in every draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.aggregated import AggregatedPool
from sim.serving.draws import count_draws, take_draws
from sim.serving.explain import Unit
from sim.serving.job import ServingJob, as_ranks
from sim.serving.pools import DecodePool, PrefillPool
from sim.serving.shapes import unit_shapes

Array = NDArray[np.float64] | float
CHUNKS = (1024.0, 2048.0, 4096.0, 8192.0, 16384.0)  # prompt tokens per rank and pass that are tried
CONTEXT_PARALLEL = (1.0, 4.0, 16.0)  # replicas that may share a prompt
SAMPLE = 64  # draws on which every shape is tried
SHORT_OF_BEST = 0.005  # what may be lost on them by trying a few shapes only
BLOCK = 64  # draws on which every shape is tried again at a time


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


def leading_units(setting: Setting, candidates: Unit, score: Callable[[Setting, Unit], Array]) -> Unit:
    """A few candidates, one of which comes within ``SHORT_OF_BEST`` of the best on every one of some draws."""
    draws = setting.draws
    sample = np.unique(np.linspace(0, draws - 1, SAMPLE).astype(int))
    tried = np.broadcast_to(score(setting.at(sample), candidates), (len(candidates.tp), len(sample)))
    best = tried.max(axis=0)
    shares = np.where(best > 0, tried / best, 0.0)[:, best > 0]
    first = int(np.argmax(np.sum(shares if shares.size else tried, axis=1)))
    kept, covered = [first], shares[first]
    while np.any(covered < 1.0 - SHORT_OF_BEST):
        kept.append(int(np.argmax(np.sum(np.maximum(shares, covered), axis=1))))
        covered = np.maximum(covered, shares[kept[-1]])
    return candidates.at(np.array(kept))


def best_units(
    setting: Setting, leading: Unit, candidates: Unit, score: Callable[[Setting, Unit], Array]
) -> tuple[Unit, NDArray[np.float64]]:
    """The best unit of each draw and its score: of the leading ones, or of all where none of these keeps the promise.

    A slow draw may want a longer team than any that leads elsewhere.
    """
    found = np.broadcast_to(score(setting, leading), (len(leading.tp), setting.draws))
    best, most = leading.chosen(np.argmax(found, axis=0)), found.max(axis=0)
    lost = np.flatnonzero(most <= 0)
    for some in np.array_split(lost, np.ceil(len(lost) / BLOCK) or 1):
        if len(some):
            again = np.broadcast_to(score(setting.at(some), candidates), (len(candidates.tp), len(some)))
            best = best.replaced(some, candidates.chosen(np.argmax(again, axis=0)))
            most[some] = again.max(axis=0)
    return best, most


def score_of(
    rate: Array, fastest: Array, target: Array, pool: DecodePool | PrefillPool | AggregatedPool
) -> Array:
    """Rate; below zero, nearer to zero the less the promise or the memory is missed."""
    missed = np.where(
        pool.memory.fits, -np.divide(fastest, target), -1e6 + np.minimum(pool.memory.room, 0.0) / 1e9
    )
    return np.where(rate > 0, rate, missed)


def ranks_in_queue(setting: Setting, choice: Unit, share: Array = 0.5) -> Array:
    """Ranks whose prompts wait in one queue: the teams behind one router, a whole prefill instance at least, never more
    than the share of the fleet that reads prompts.

    A queue over the whole fleet would even out what no router sees.
    """
    routed = np.maximum(setting.job.engine.routed * choice.tp * choice.context_parallel, choice.shape.ranks)
    return np.minimum(routed, np.maximum(setting.ranks * share, choice.shape.ranks))
