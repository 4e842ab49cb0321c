"""Whether a layout fits into device memory, and what fills it when it does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import SCHEDULES, Layouts
from sim.layout.schedule import both_ended, held_by_last, in_flight, weight_copies
from sim.layout.stages import KINDS, rank_contents
from sim.physics.memory import (
    SavedBytes,
    TrainingMemory,
    block_parameters,
    logits_memory,
    saved_bytes,
    state_memory,
)
from sim.training.job import TrainingJob

Array = NDArray[np.float64] | float


def training_memory(job: TrainingJob, layouts: Layouts) -> TrainingMemory:
    """Bytes on the fullest chip of every layout, entries (L, 1).

    Two ranks are looked at, the first (most micro-batches in flight, input embedding) and the last (output
    head, MTP, logits), each with the layers of the fullest stage of its kind; the fuller one is returned.
    """
    first, last = _on_rank(job, layouts, 0), _on_rank(job, layouts, -1)
    fuller = first.total >= last.total
    pairs = zip(first.parts().values(), last.parts().values(), strict=True)
    return TrainingMemory(*(np.where(fuller, a, b) for a, b in pairs))


def memory_limit(job: TrainingJob, memory_bytes: Array) -> Array:
    """Device memory that a job can use [byte]."""
    return memory_bytes * (1.0 - np.asarray(job.software.memory_reserve))


def _on_rank(job: TrainingJob, layouts: Layouts, rank: int) -> TrainingMemory:
    columns = layouts.columns()
    tp, cp, pp = columns["tp"], columns["cp"], columns["pp"]
    experts = columns["ep"] * columns["etp"]
    counts = _contents(job, layouts, rank)
    held = block_parameters(job.architecture)
    copies = weight_copies(columns["schedule"])
    shared = copies * sum(n * held[kind].shared for kind, n in counts.items()) / tp
    expert = copies * sum(n * held[kind].expert for kind, n in counts.items()) / experts
    replicas = columns["dp"] * cp
    expert_replicas = replicas * tp / experts
    shard = np.minimum(columns["zero_shard"], replicas)
    weights, gradients, optimizer = state_memory(
        shared, expert, columns["zero"], shard, np.maximum(1.0, np.minimum(shard, expert_replicas)), job.state
    )
    if job.frozen:
        gradients, optimizer = 0.0 * gradients, 0.0 * optimizer
    # Sharded weights are gathered layer by layer: two layers are whole at a time.
    layers = np.maximum(1.0, counts["dense"] + counts["moe"])
    gathered = 2.0 * (shared + expert) / layers * job.state.weight
    weights = weights + np.where(columns["zero"] == 3, gathered, 0.0)
    tokens = columns["micro_batch"] * job.sequence / cp
    # A micro-batch of several sequences can be cut in two that hide each other's exchange; a single one needs a second.
    overlapped = job.architecture.moe is not None and job.software.expert_overlap == "full"
    lead = np.where(columns["micro_batch"] < 2, float(overlapped), 0.0)
    held_here = in_flight if rank == 0 else held_by_last
    flying = held_here(columns["schedule"], pp, columns["vpp"], columns["micro_batches"], lead)
    saved = _saved(job, columns["recompute"].astype(int), tp, counts)
    logits = np.where(counts["logits"] > 0, logits_memory(tokens, job.architecture.vocab, tp), 0.0)
    activations = tokens * (flying * saved[0] + saved[1])
    return TrainingMemory(weights, np.asarray(gradients), np.asarray(optimizer), activations, logits)


def _contents(job: TrainingJob, layouts: Layouts, rank: int) -> dict[str, NDArray[np.float64]]:
    """Blocks of each kind on the fullest of the front ranks, or on the last rank (L, 1).

    Ranks of the two DualPipes hold a stage near each end: the first holds embedding, head and MTP modules, and stands
    for "the last" as well as for itself; the fullest of the others comes in its place in front.
    """
    found = np.zeros((len(layouts), len(KINDS)))
    shape = np.where(both_ended(layouts.schedule), layouts.schedule, 0)
    for stages, code in sorted(set(zip(layouts.pp.tolist(), shape.tolist(), strict=True))):
        contents = rank_contents(job.depth, stages, SCHEDULES[code])
        if code:
            row = contents[0] if rank == -1 else contents[1:][_heaviest(contents[1:])]
        elif rank == -1:
            row = contents[-1]
        else:
            front = contents[: max(1, len(contents) - 1)]
            row = front[_heaviest(front)].copy()
            row[KINDS.index("embedding")] = 1.0
        found[(layouts.pp == stages) & (shape == code)] = row
    return {kind: found[:, [index]] for index, kind in enumerate(KINDS)}


def _heaviest(contents: NDArray[np.float64]) -> int:
    """Row with most layers with experts, then most dense ones."""
    return int(np.argmax(contents[:, 1] * 1e3 + contents[:, 0]))


def _saved(
    job: TrainingJob, code: NDArray[np.int64], tp: NDArray[np.float64], counts: dict[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Activation bytes per token: kept for one micro-batch, and needed while one layer is computed anew (L,
    1)."""
    software, precisions = job.software, job.precisions
    gemm_input = 1.0 if precisions.linear in ("fp8", "fp4") else precisions.activation_bytes
    wide_split = tp if software.sequence_parallel else 1.0
    kept, working = np.zeros_like(tp), np.zeros_like(tp)
    for index, policy in enumerate(job.policies):
        dense, moe = saved_bytes(
            job.architecture,
            job.sequence,
            policy,
            element=precisions.activation_bytes,
            gemm_input=gemm_input,
            fused_attention=software.fused_attention,
        )

        def per_token(layer: SavedBytes) -> NDArray[np.float64]:
            return layer.wide / wide_split + layer.split / tp

        last_kind = moe if job.depth.moe else dense
        total = (
            counts["dense"] * per_token(dense)
            + counts["moe"] * per_token(moe)
            + counts["mtp"] * per_token(last_kind)
        )
        again = max(dense.working if job.depth.dense else 0.0, moe.working if job.depth.moe else 0.0) / tp
        kept = np.where(code == index, total, kept)
        working = np.where(code == index, again, working)
    return kept, working


def fill(memory: TrainingMemory) -> NDArray[np.object_]:
    """Name of the largest part, per layout."""
    names = np.array(list(memory.parts()), dtype=object)
    sizes = np.stack([np.ravel(part) for part in memory.parts().values()])
    return names[np.argmax(sizes, axis=0)]
