"""Time of one optimizer step, for many layouts and many draws at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import SCHEDULES, Layouts
from sim.layout.schedule import apart, both_ended, bubble_time
from sim.layout.stages import KINDS, rank_contents
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.training.blocks import Columns, Compute, Times, compute_times
from sim.training.exchange import Exchange, exchange_times
from sim.training.job import TrainingJob
from sim.training.update import update_times

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class StepTime:
    """Time of one step and where it goes.

    Attributes
    ----------
    breakdown : mapping of str to Array
        Seconds by cause, shapes (L, 1) or (L, draws); they add up to ``total``.
    micro_batch_s : Array
        Forward and backward of one micro-batch on an average rank [s].
    """

    breakdown: dict[str, NDArray[np.float64]]
    micro_batch_s: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Duration of the step [s]."""
        return np.asarray(sum(self.breakdown.values(), start=0.0))

    def pick(self, row: int) -> StepTime:
        """One layout out of many, as (1, draws)."""

        def one(values: NDArray[np.float64]) -> NDArray[np.float64]:
            table = np.atleast_2d(values)
            return table[[row if len(table) > 1 else 0]]

        return StepTime({name: one(part) for name, part in self.breakdown.items()}, one(self.micro_batch_s))


@dataclass(frozen=True, slots=True)
class _Rank:
    """One micro-batch on an average rank [s]: forward alone, backward alone, weight part, both overlapped;
    slowest rank."""

    forward: Array
    backward: Array
    weight: Array
    together: Array
    slowest: Array


def step_time(job: TrainingJob, chip: Chip, network: Network, layouts: Layouts) -> StepTime:
    """Time of one optimizer step [s].

    Parameters
    ----------
    job : TrainingJob
        Model, batch, precisions, software.
    chip : Chip
        Resolved chip; its numbers may be arrays of draws.
    network : Network
        Resolved network tiers.
    layouts : Layouts
        L layouts, which must be legal; whether they fit in memory is
        :func:`sim.training.fit.training_memory`.

    Returns
    -------
    StepTime
        With a breakdown of shape (L, 1) or (L, draws).

    Notes
    -----
    T = m T_rank + imbalance + bubble + exposed gradient traffic + optimizer + jitter, where T_rank is one
    micro-batch on an average rank, imbalance (m - 1)(slowest - average), and the bubble a closed form per
    schedule. For 1F1B this equals m max + (sum - max) (checked against :mod:`sim.training.pipeline`).
    """
    columns = layouts.columns()
    compute = compute_times(job, chip, columns)
    exchange = exchange_times(job, network, columns)
    counts = _mean_counts(job, layouts)
    blocks = {kind: block_times(kind, job, chip, compute, exchange, columns) for kind in KINDS}
    rank = _rank(blocks, counts, job, layouts)
    micro_batches = columns["micro_batches"]
    alone = apart(columns["schedule"], columns["pp"], micro_batches)
    parts = _work(job, compute, blocks, counts, micro_batches, alone)
    staged = columns["pp"] > 1
    hidden = np.where(columns["schedule"] == SCHEDULES.index("1f1b"), 1.0, job.software.tensor_exposed)
    parts["pipeline transfer"] = (
        np.where(staged, 2.0 * columns["vpp"] * hidden * exchange.pipeline, 0.0) * micro_batches
    )
    parts["stage imbalance"] = (micro_batches - 1.0) * (rank.slowest - rank.together)
    parts["bubble"] = bubble_time(
        columns["schedule"],
        columns["pp"],
        columns["vpp"],
        rank.forward,
        rank.backward,
        rank.weight,
        rank.together,
    )
    parts |= update_times(job, chip, network, counts, columns, rank.forward + rank.backward)
    lost = job.software.lost_to_jitter(layouts.chips.astype(float)[:, None])
    parts["jitter"] = sum(parts.values(), start=0.0) * (lost / (1.0 - lost))
    return StepTime({name: np.asarray(part) for name, part in parts.items()}, np.asarray(rank.together))


def _mean_counts(job: TrainingJob, layouts: Layouts) -> dict[str, Array]:
    """Blocks of each kind on an average pipeline rank (L, 1)."""
    depth = job.depth
    totals = {"dense": depth.dense, "moe": depth.moe, "embedding": 1, "logits": 1, "mtp": depth.mtp}
    stages = layouts.pp.astype(float)[:, None]
    return {kind: total / stages for kind, total in totals.items()}


@dataclass(frozen=True, slots=True)
class _Block:
    """One block and one micro-batch [s]; compute is forward, backward and repeated forward."""

    forward: Array
    backward: Array
    weight: Array
    together: Array
    compute: Array
    slowdown: Array
    tensor: Array
    exchange: Array
    context: Array
    host_alone: Array
    host_together: Array


def block_times(
    kind: str, job: TrainingJob, chip: Chip, compute: Compute, exchange: Exchange, columns: Columns
) -> _Block:
    """Compute, collectives and host floor of one block of a kind for one micro-batch."""
    software = job.software
    forward, repeated = compute.forward.of_kind(kind), compute.repeated.of_kind(kind)
    weight = compute.weights.of_kind(kind)
    backward = compute.inputs.of_kind(kind) + weight + repeated
    again = {part: _again(part, job, columns) for part in ("layers", "experts")}
    tensor = exchange.tensor.get(kind, 0.0) * np.asarray(software.tensor_exposed)
    has_experts = kind == "moe" or (kind == "mtp" and job.architecture.moe is not None)
    expert = exchange.expert if has_experts else 0.0
    context = _context(kind, compute, exchange)
    slow: Array = 1.0
    if has_experts and software.expert_overlap != "none":
        slow = np.where(exchange.crosses, software.exchange_slowdown, 1.0)
    f = forward + tensor + expert + context[0]
    b = backward + tensor * (1.0 + again["layers"]) + expert * (1.0 + again["experts"]) + context[1]
    visible = software.exchange_exposed * expert * (2.0 + again["experts"])
    both = (forward + backward) * slow + tensor * (2.0 + again["layers"]) + visible + sum(context)
    floors = _host_floors(kind, job, chip)
    host_f, host_b = (np.maximum(0.0, floor - time) for floor, time in zip(floors, (f, b), strict=True))
    host_both = np.maximum(0.0, sum(floors) - both)
    return _Block(
        forward=f + host_f,
        backward=b + host_b,
        weight=weight,
        together=both + host_both,
        compute=forward + backward,
        slowdown=(forward + backward) * (slow - 1.0),
        tensor=tensor * (2.0 + again["layers"]),
        exchange=expert * (2.0 + again["experts"]),
        context=sum(context),
        host_alone=host_f + host_b,
        host_together=host_both,
    )


def _again(part: str, job: TrainingJob, columns: Columns) -> NDArray[np.float64]:
    """Share of forward collectives that recompute repeats (L, 1)."""
    shares = np.array([p.layers if part == "layers" else p.share(part) for p in job.policies])
    return shares[columns["recompute"].astype(int)]


def _context(kind: str, compute: Compute, exchange: Exchange) -> tuple[Array, Array]:
    """What ring attention cannot hide behind the attention core, forward and (twice the traffic) backward."""
    if kind not in ("dense", "moe"):
        return 0.0, 0.0
    cores = (compute.forward.parts, compute.inputs.parts)
    shown = [
        np.maximum(0.0, times * exchange.context - core.get(("attention core", kind), 0.0))
        for times, core in zip((1.0, 2.0), cores, strict=True)
    ]
    return shown[0], shown[1]


def _host_floors(kind: str, job: TrainingJob, chip: Chip) -> tuple[Array, Array]:
    """Least time of the forward and backward pass of a layer that the host can launch."""
    named = {
        "dense": "training_dense",
        "moe": "training_moe",
        "mtp": "training_moe" if job.depth.moe else "training_dense",
    }
    if kind not in named:
        return 0.0, 0.0
    floor = chip.layer_overhead_s.get(named[kind], 0.0) * np.asarray(job.software.host_floor)
    return floor, floor * job.software.host_backward


def _rank(blocks: dict[str, _Block], counts: dict[str, Array], job: TrainingJob, layouts: Layouts) -> _Rank:
    def mean(name: str) -> Array:
        return sum((counts[kind] * getattr(blocks[kind], name) for kind in KINDS), start=0.0)

    together = {kind: np.asarray(blocks[kind].together) for kind in KINDS}
    width = np.broadcast_shapes((len(layouts), 1), *(np.shape(value) for value in together.values()))
    slowest = np.zeros(width)
    shape = np.where(both_ended(layouts.schedule), layouts.schedule, 0)
    for stages, code in sorted(set(zip(layouts.pp.tolist(), shape.tolist(), strict=True))):
        rows = np.flatnonzero((layouts.pp == stages) & (shape == code))
        contents = np.unique(rank_contents(job.depth, stages, SCHEDULES[code]), axis=0)
        here = [np.broadcast_to(together[kind], width)[rows] for kind in KINDS]
        loads = [sum(n * time for n, time in zip(content, here, strict=True) if n) for content in contents]
        slowest[rows] = np.maximum.reduce(loads)
    return _Rank(mean("forward"), mean("backward"), mean("weight"), mean("together"), slowest)


def _work(
    job: TrainingJob,
    compute: Compute,
    blocks: dict[str, _Block],
    counts: dict[str, Array],
    micro_batches: Array,
    alone: Array,
) -> dict[str, Array]:
    """What an average rank does in a step, by cause [s]."""
    parts: dict[str, Array] = {}
    passes: tuple[Times, ...] = (compute.forward, compute.inputs, compute.weights, compute.repeated)
    for times in passes:
        for component, seconds in times.by_component(counts).items():
            parts[component] = parts.get(component, 0.0) + seconds * micro_batches

    def total(name: str) -> Array:
        return sum((counts[kind] * getattr(blocks[kind], name) for kind in KINDS), start=0.0)

    steady = micro_batches - alone
    exposed = job.software.exchange_exposed
    parts["tensor parallel"] = total("tensor") * micro_batches
    parts["expert parallel"] = total("exchange") * (exposed * steady + alone)
    parts["context parallel"] = total("context") * micro_batches
    parts["exchange slowdown"] = total("slowdown") * steady
    parts["host"] = total("host_together") * steady + total("host_alone") * alone
    return parts
