"""What comes once per step: reduction of gradients, gathering of weights, and the optimizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.layout.stages import KINDS
from sim.physics.chip import Chip
from sim.physics.memory import block_parameters
from sim.physics.network import (
    Network,
    all_gather_time,
    all_reduce_time,
    reduce_scatter_time,
    ring_latency,
)
from sim.physics.optimizer import newton_schulz_flop
from sim.training.blocks import Columns
from sim.training.job import Software, TrainingJob

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class _Group:
    """Parameters of a rank that the same ranks replicate: number, distance of those ranks, how many there are, and
    over how many of them each parameter is sharded."""

    parameters: Array
    stride: Array
    replicas: Array
    shard: Array


def update_times(
    job: TrainingJob, chip: Chip, network: Network, counts: dict[str, Array], columns: Columns, window: Array
) -> dict[str, Array]:
    """Gradient and weight traffic that compute does not hide, and the optimizer.

    Parameters
    ----------
    counts : dict of str to Array
        Blocks of each kind on an average pipeline rank, shape (L, 1).
    columns : dict of str to array
        The layouts, column by column, shape (L, 1).
    window : Array
        Compute of one micro-batch behind which traffic may hide [s].

    Returns
    -------
    dict with "data parallel" and "optimizer" [s], shapes (L, 1) or (L, draws)
    """
    if job.frozen:
        return {"data parallel": 0.0, "optimizer": 0.0}
    groups = _groups(job, counts, columns)
    calls = np.maximum(counts["dense"] + counts["moe"], 1.0)
    traffic = sum(
        (_gradient_traffic(job.software, group, calls, columns, network) for group in groups if np.any(group.parameters)),
        start=0.0,
    )  # fmt: skip
    window = window * np.where(columns["zero"] == 3, columns["micro_batches"], 1.0)
    return {
        "data parallel": np.maximum(job.software.data_exposed * traffic, traffic - window),
        "optimizer": _optimizer(job, chip, network, groups, columns),
    }


def _groups(job: TrainingJob, counts: dict[str, Array], columns: Columns) -> tuple[_Group, _Group]:
    """Parameters that all ranks share, and those of the routed experts."""
    held, experts = block_parameters(job.architecture), columns["ep"] * columns["etp"]
    shared = sum((counts[kind] * held[kind].shared for kind in KINDS), start=0.0) / columns["tp"]
    expert = sum((counts[kind] * held[kind].expert for kind in KINDS), start=0.0) / experts
    replicas = columns["dp"] * columns["cp"]
    expert_replicas = replicas * columns["tp"] / experts
    shard = np.minimum(columns["zero_shard"], replicas)
    return (
        _Group(shared, columns["tp"], replicas, shard),
        _Group(expert, experts, expert_replicas, np.minimum(shard, expert_replicas)),
    )


def _optimizer(
    job: TrainingJob, chip: Chip, network: Network, groups: tuple[_Group, _Group], columns: Columns
) -> Array:
    """Memory traffic of the shard that a rank updates, and what Muon adds [s]."""
    shared, expert = groups
    sharded = shared.parameters / shared.shard + expert.parameters / expert.shard
    local = np.where(columns["zero"] > 0, sharded, shared.parameters + expert.parameters)
    stream = chip.memory_bandwidth * chip.curve("elementwise", "bf16").bandwidth
    update: Array = job.software.optimizer_traffic * local / stream
    if np.any(job.newton_schulz):
        update = update + _whole_matrices(job, chip, network, groups)
    return update


def _whole_matrices(job: TrainingJob, chip: Chip, network: Network, groups: tuple[_Group, ...]) -> Array:
    """What Muon adds to a step [s]: its iterations on the matrices of a shard, and one gathering of their momentum.

    Every matrix is turned once in the whole group of replicas; nothing hides the traffic, which comes after the
    reduction of gradients and before the gathering of weights (arXiv 2502.16982, section 2.3).
    """
    rate = chip.matrix_peak["bf16"] * chip.curve("gemm", "bf16").compute
    added: Array = 0.0
    for per_parameter, group in zip(newton_schulz_flop(job.architecture), groups, strict=True):
        flop = job.newton_schulz * per_parameter * group.parameters / group.shard
        weights = group.parameters * job.software.gather_bytes
        gather = all_gather_time(weights, group.shard, group.stride, network)
        added = added + flop / rate + gather
    return added


def _gradient_traffic(
    software: Software, group: _Group, calls: Array, columns: Columns, network: Network
) -> Array:
    """Reduction of gradients and gathering of weights of one step [s].

    ZeRO-0 all-reduces; 1 and 2 scatter gradients and gather weights once; 3 gathers for the forward and
    again for the backward pass of every micro-batch. Shard groups smaller than all replicas add an
    all-reduce of the shards. Every layer is a collective of its own (``calls``), which runs as a ring.
    """
    gradients, weights = (
        group.parameters * each for each in (software.gradient_bytes, software.gather_bytes)
    )
    stride, replicas, shard = group.stride, group.replicas, group.shard
    hops = calls * ring_latency(shard, stride, network)
    scatter = reduce_scatter_time(gradients, shard, stride, network) + hops
    gather = all_gather_time(weights, shard, stride, network) + hops
    across = all_reduce_time(gradients / shard, replicas / shard, stride * shard, network)
    once = scatter + gather + across
    always = columns["micro_batches"] * (scatter + 2.0 * gather) + across
    whole = all_reduce_time(gradients, replicas, stride, network)
    zero = columns["zero"]
    return np.where(zero == 0, whole, np.where(zero == 3, always, once))
