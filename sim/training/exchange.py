"""Collectives inside one micro-batch, before anything hides them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.attention_shapes import CompressedAttention, GroupedAttention, LatentAttention
from sim.physics.expert_exchange import ExpertGroup, dispatch_and_combine_time
from sim.physics.network import (
    Network,
    all_gather_time,
    all_reduce_time,
    point_to_point_time,
    reduce_scatter_time,
)
from sim.training.job import TrainingJob

Array = NDArray[np.float64] | float
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Collectives of one micro-batch, one pass, before anything hides them [s].

    Attributes
    ----------
    tensor : mapping of kind to Array
        Per block.
    expert : Array
        Dispatch and combine of one layer with experts.
    context : Array
        Keys and values of one layer travelling between context ranks, forward.
    pipeline : Array
        One hand-over to the next stage.
    crosses : (L, 1) bool
        True where the expert exchange leaves the scale-up domain.
    """

    tensor: dict[str, Array]
    expert: Array
    context: Array
    pipeline: Array
    crosses: NDArray[np.bool_]


def exchange_times(job: TrainingJob, network: Network, columns: Columns) -> Exchange:
    """Times of the collectives inside one micro-batch, for every layout (L, 1) or (L, draws)."""
    architecture, width = job.architecture, job.precisions.activation_bytes
    tp, cp = columns["tp"], columns["cp"]
    local = columns["micro_batch"] * job.sequence / cp  # tokens of a rank
    keys = local * cp * _key_value_width(job) * width / tp
    # Tensor ranks send a slice each and gather it on arrival (arXiv 2104.04473, section 4.1).
    handed = local * architecture.residual_width * width / tp
    return Exchange(
        tensor=_tensor_times(job, network, columns, local * architecture.hidden * width),
        expert=_expert_time(job, network, columns, local / tp),
        context=all_gather_time(keys, cp, tp, network),
        pipeline=point_to_point_time(handed, tp * cp * columns["dp"], network),
        crosses=columns["ep"] * columns["etp"] > network.scale_up.size,
    )


def _tensor_times(job: TrainingJob, network: Network, columns: Columns, payload: Array) -> dict[str, Array]:
    """Collectives of the tensor ranks in one block of each kind [s]; ``payload`` is the hidden state [byte]."""
    tp, moe = columns["tp"], job.architecture.moe
    if job.software.sequence_parallel:
        pair = all_gather_time(payload, tp, 1.0, network) + reduce_scatter_time(payload, tp, 1.0, network)
    else:
        pair = all_reduce_time(payload, tp, 1.0, network)
    # A layer with experts gathers for its second half only where experts, or shared ones, are split over
    # tensor ranks.
    second = np.where((columns["etp"] > 1) | bool(moe and moe.shared_experts), 1.0, 0.0)
    return {
        "dense": 2.0 * pair,
        "moe": (1.0 + second) * pair,
        "mtp": (1.0 + (second if moe else 1.0)) * pair,
    }


def _expert_time(job: TrainingJob, network: Network, columns: Columns, tokens: Array) -> Array:
    """Dispatch and combine of one layer with experts [s]; ``tokens`` of a rank."""
    moe, precisions = job.architecture.moe, job.precisions
    if moe is None:
        return 0.0
    limit = float(moe.routing_limit) if moe.routing_groups and moe.routing_limit else np.inf
    group = ExpertGroup(moe.top_k, columns["ep"], columns["etp"], limit, job.imbalance(columns["ep"]))
    sent, returned = precisions.dispatch_bytes, precisions.combine_bytes
    return dispatch_and_combine_time(tokens, job.architecture.exchange_width, sent, returned, group, network)


def _key_value_width(job: TrainingJob) -> float:
    """Elements of keys and values per token, mean over layers."""
    total = 0.0
    for group in job.architecture.attention:
        if isinstance(group, GroupedAttention):
            total += group.layers * 2 * group.kv_heads * group.head_dim
        elif isinstance(group, LatentAttention):
            total += group.layers * (group.kv_rank + group.rope_dim)
        elif isinstance(group, CompressedAttention):
            total += group.layers * group.head_dim
    return total / job.architecture.layers
