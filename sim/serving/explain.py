"""Capacity in words and shares: what limits it, why a draw gives nothing, how busy a chip is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip
from sim.serving.aggregated import AggregatedPool
from sim.serving.iteration import StepTime
from sim.serving.job import ServingJob, Targets, UnitShape
from sim.serving.pools import DecodePool

Array = NDArray[np.float64] | float
_BOUNDS = {
    "compute": "matrix throughput",
    "bandwidth": "memory bandwidth",
    "network": "network bandwidth",
    "latency": "launches and network latency",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """Instance chosen in each draw, counted in ranks (dies where software addresses them one by one).

    Attributes
    ----------
    tp, dp : ndarray (draws,)
        Ranks per attention replica, and attention replicas.
    chunk : ndarray (draws,)
        Prompt tokens per replica and pass; 0 in a decode pool [token].
    context_parallel : ndarray (draws,)
        Replicas that share a prompt.
    """

    tp: NDArray[np.float64]
    dp: NDArray[np.float64]
    chunk: NDArray[np.float64]
    context_parallel: NDArray[np.float64]

    @property
    def shape(self) -> UnitShape:
        """Without the way prompts are cut."""
        return UnitShape(self.tp, self.dp)

    def at(self, index: NDArray[np.int_]) -> Unit:
        """Only some rows."""
        return Unit(self.tp[index], self.dp[index], self.chunk[index], self.context_parallel[index])

    def chosen(self, row: NDArray[np.int_]) -> Unit:
        """Of candidates, (rows, 1), the one that each draw takes, (draws,)."""
        rows = self.at(row)
        return Unit(rows.tp[:, 0], rows.dp[:, 0], rows.chunk[:, 0], rows.context_parallel[:, 0])

    def replaced(self, draws: NDArray[np.int_], others: Unit) -> Unit:
        """With others in some of the draws."""
        mine = (self.tp, self.dp, self.chunk, self.context_parallel)
        theirs = (others.tp, others.dp, others.chunk, others.context_parallel)
        changed = [field.copy() for field in mine]
        for field, new in zip(changed, theirs, strict=True):
            field[draws] = new
        return Unit(*changed)


def computed(job: ServingJob) -> Array:
    """Mean prompt tokens per request that are not in the cache [token]."""
    return job.traffic.prompt.mean * (1.0 - np.asarray(job.traffic.prefix_hit))


def activity(step: StepTime, chip: Chip) -> Array:
    """Mean activity of a chip over a step, between idle and sustained matrix load [1]."""
    bounds = step.bounds
    waiting = chip.waiting_activity * (bounds["network"] + bounds["latency"])
    return (bounds["compute"] + chip.memory_activity * bounds["bandwidth"] + waiting) / step.total_s


def utilisation(
    step: StepTime, batch: Array, fitting: Array, one: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Use of each resource in a decode step over its peak [1]."""
    return {
        "matrix units": step.flop_s / step.total_s * one,
        "memory bandwidth": step.byte_s / step.total_s * one,
        "network": step.wire_s / step.total_s * one,
        "cache memory": batch / np.maximum(fitting, 1e-9) * one,
    }


def binding_shares(step: StepTime, one: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Share of a step that each kind of limit takes [1]; they add up to one."""
    return {_BOUNDS[name]: seconds / step.total_s * one for name, seconds in step.bounds.items()}


def binding(step: StepTime, one: NDArray[np.float64]) -> list[str]:
    """What takes most of the step in each draw."""
    names = list(step.bounds)
    table = np.stack([step.bounds[name] * one for name in names])
    return [_BOUNDS[names[row]] for row in np.argmax(table, axis=0)]


def decode_limits(job: ServingJob, pool: DecodePool | AggregatedPool, one: NDArray[np.float64]) -> list[str]:
    """What binds a decode step, and what keeps its batch from growing, in each draw."""
    step = pool.step if isinstance(pool, DecodePool) else pool.step.decode
    engine = np.asarray(job.engine.max_batch) * one
    fitting = pool.fitting_batch * one
    held = np.where(
        pool.peak_batch * one < 0.999 * np.minimum(fitting, engine),
        "the latency promised",
        np.where(fitting <= engine, "cache memory", "the engine's batch limit"),
    )
    return [f"{bound}; batch held by {by}" for bound, by in zip(binding(step, one), held, strict=True)]


def prefill_limits(step: StepTime, load: Array, one: NDArray[np.float64]) -> list[str]:
    """What binds a prefill pass in each draw, and whether the promise keeps the pool from filling."""
    tight = load * one < 0.85
    return [
        bound + ("; load held by the latency promised" if low else "")
        for bound, low in zip(binding(step, one), tight, strict=True)
    ]


def unit_names(choice: Unit) -> list[str]:
    """The instance of each draw in words."""
    names = []
    for tp, dp, chunk, cp in zip(choice.tp, choice.dp, choice.chunk, choice.context_parallel, strict=True):
        name = f"{tp * dp:.0f} ranks (TP {tp:.0f}, DP {dp:.0f}" + (f", CP {cp:.0f})" if cp > 1 else ")")
        names.append(name + (f", {chunk:,.0f} prompt tokens per pass" if chunk else ""))
    return names


def most(words: list[str]) -> str:
    """The most frequent of the words."""
    return Counter(words).most_common(1)[0][0]


def reasons(
    rate: NDArray[np.float64],
    pool: DecodePool | AggregatedPool,
    fastest: Array,
    unloaded: Array,
    targets: Targets,
    one: NDArray[np.float64],
) -> str:
    """Why draws gave nothing, most frequent first."""
    empty = rate <= 0
    if not empty.any():
        return ""
    room = pool.memory.room * one
    slow_token, slow_first = fastest * one > targets.tpot_s, unloaded * one > targets.ttft_s
    cases: dict[str, NDArray[np.bool_]] = {
        pool.memory.complaint(): empty & (room <= 0),
        "not one sequence of mean length fits in the cache": empty
        & (room > 0)
        & (pool.fitting_batch * one < 1),
    }
    known = np.any(list(cases.values()), axis=0)
    if (empty & ~known & slow_token).any():
        best, asked = (float(np.median((x * one)[empty])) * 1e3 for x in (fastest, targets.tpot_s))
        text = f"a token takes {best:.1f} ms at the smallest batch, {asked:.1f} ms are promised"
        cases[text] = empty & ~known & slow_token
    if (empty & ~known & ~slow_token & slow_first).any():
        best, asked = (float(np.median((x * one)[empty])) for x in (unloaded, targets.ttft_s))
        cases[f"the first token takes {best:.2f} s in an empty pool, {asked:.2f} s are promised"] = (
            empty & ~known & ~slow_token & slow_first
        )
    counts = {text: int(np.sum(where)) for text, where in cases.items() if text and np.any(where)}
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    share = f"{np.mean(empty):.0%} of the draws serve nothing: " if len(rate) > 1 else ""
    return share + "; ".join(text for text, _ in ordered)
