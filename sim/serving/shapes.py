"""Shapes that one engine instance may take on a network: how many ranks, and how they split."""

from __future__ import annotations

import numpy as np

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import GroupedAttention, LatentAttention, LinearAttention
from sim.physics.network import Network
from sim.serving.job import UnitShape

LARGEST_TENSOR_GROUP = 16  # ranks; beyond it all-reduces of every layer cost more than they save


def unit_shapes(architecture: Architecture, network: Network, most_ranks: float) -> UnitShape:
    """Instances worth trying, one per row.

    Parameters
    ----------
    network : Network
        As ranks see it.
    most_ranks : float
        Ranks of the whole cluster.

    Returns
    -------
    UnitShape
        Fields of shape (shapes, 1).

    Notes
    -----
    Tensor groups of 1 to 16 ranks inside the innermost tier. Dense models: an attention replica is an
    instance. Mixtures of experts: up to one rank per expert, in powers of two.
    """
    heads = min(_heads(group) for group in architecture.attention)
    widest = min(network.tiers[0].size, LARGEST_TENSOR_GROUP, heads, most_ranks)
    moe = architecture.moe
    largest = widest if moe is None else min(moe.experts, most_ranks)
    shapes = [
        (tp, ranks // tp)
        for tp in _powers(widest)
        for ranks in ([tp] if moe is None else _powers(largest))
        if ranks >= tp
    ]
    tp, dp = np.array(shapes, dtype=float).T
    return UnitShape(tp[:, None], dp[:, None])


def _powers(limit: float) -> list[int]:
    return [2**n for n in range(int(np.log2(max(limit, 1.0))) + 1)]


def _heads(group: object) -> int:
    if isinstance(group, LinearAttention):
        return group.value_heads
    assert isinstance(group, GroupedAttention | LatentAttention) or hasattr(group, "heads")
    return int(group.heads)
