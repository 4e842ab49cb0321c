"""What the ranks of an instance send each other in one engine pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.physics.expert_exchange import ExpertGroup, exchange_time
from sim.physics.ffn_shapes import DenseFeedForward
from sim.physics.network import Network, all_reduce_time
from sim.serving.job import ServingJob, UnitShape

Array = NDArray[np.float64] | float


def all_reduces(job: ServingJob, network: Network, shape: UnitShape, tokens: Array) -> tuple[Array, Array]:
    """Time of all tensor-parallel all-reduces of a pass, and the part that stays with no bytes [s]."""
    architecture = job.architecture
    always = sum(group.layers for group in architecture.attention)
    always += sum(group.layers for group in architecture.ffn if isinstance(group, DenseFeedForward))
    # Without data-parallel attention every rank has every token: the experts' results are summed, not
    # exchanged.
    count = always + np.where(np.asarray(shape.dp) > 1, 0, architecture.moe_layers)
    payload = tokens * architecture.hidden * job.precisions.activation_bytes
    return (
        count * all_reduce_time(payload, shape.tp, 1.0, network),
        count * all_reduce_time(0.0 * payload, shape.tp, 1.0, network),
    )


def exchanges(
    job: ServingJob, network: Network, shape: UnitShape, tokens: Array, copies: bool
) -> tuple[Array, Array]:
    """Time of dispatch and combine of all expert layers, and the part that stays with no bytes [s]."""
    moe = job.architecture.moe
    if moe is None:
        return 0.0, 0.0
    width, precisions = job.architecture.exchange_width, job.precisions
    limit = float(moe.routing_limit or np.inf)
    total: Array = 0.0
    floor: Array = 0.0
    for element in (precisions.dispatch_bytes, precisions.combine_bytes):
        sized = (
            width * element,
            moe.active_experts,
            shape.ranks,
            limit,
            job.engine.expert_imbalance,
            network,
        )
        once = copies_time if copies else _routed_time
        total = total + once(tokens, *sized)
        floor = floor + once(0.0 * np.asarray(tokens), *sized)
    used = np.asarray(shape.dp) > 1
    layers = job.architecture.moe_layers
    return np.where(used, layers * total, 0.0), np.where(used, layers * floor, 0.0)


def _routed_time(
    tokens: Array,
    row_bytes: Array,
    top_k: float,
    members: Array,
    limit: float,
    imbalance: Array,
    network: Network,
) -> Array:
    group = ExpertGroup(top_k, members, 1.0, limit, imbalance)
    return exchange_time(tokens, row_bytes, group, network)


def copies_time(
    tokens: Array,
    row_bytes: Array,
    top_k: float,
    members: Array,
    limit: float,
    imbalance: Array,
    network: Network,
) -> Array:
    """Low-latency dispatch or combine: one message per token and chosen expert, whatever node it is on [s].

    Check: 32 tokens x 7,168 x (1 + 2) B x 9 experts over 50 GB/s are 0.12 ms, 14.8 ms for 2 x 61 layers, the
    bound of arXiv 2505.09343, section 2.3.2 (which lets dispatch and combine of two micro-batches follow one
    another).
    """
    slowest: Array = 0.0
    floor: Array = 0.0
    inner: Array = 1.0
    for tier, reached in zip(network.tiers, network.reach(members), strict=True):
        moved = imbalance * tokens * row_bytes * top_k * (reached - inner) / members
        slowest = np.maximum(slowest, moved / (tier.bandwidth * tier.exchange_efficiency))
        floor = np.where(reached > inner, tier.exchange_floor_s, floor)
        inner = reached
    return slowest + floor
