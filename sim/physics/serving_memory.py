"""What fits into a rank that serves: weights, buffers, and how many sequences of cache beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.cache import kv_cache_bytes, kv_shards
from sim.physics.counts import weight_bytes
from sim.physics.operators import Precisions

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class ServingMemory:
    """Memory of one rank.

    Attributes
    ----------
    capacity : Array
        Device memory [byte].
    weights : Array
        Weights on the rank [byte].
    buffers : Array
        Workspace and communication buffers [byte].
    room : Array
        What the cache may fill; negative when weights and buffers alone are too large [byte].
    """

    capacity: Array
    weights: Array
    buffers: Array
    room: Array

    @property
    def fits(self) -> NDArray[np.bool_]:
        """True where something is left for the cache."""
        return np.asarray(self.room) > 0

    def complaint(self) -> str:
        """What did not fit, in one sentence; empty when everything did."""
        if np.all(self.fits):
            return ""
        weights, buffers, capacity = (
            float(np.median(x)) / 1e9 for x in (self.weights, self.buffers, self.capacity)
        )
        return (
            f"weights of {weights:.0f} GB and buffers of {buffers:.0f} GB per rank leave no room "
            f"for the cache in {capacity:.0f} GB of memory"
        )


def serving_memory(
    architecture: Architecture,
    precisions: Precisions,
    memory_bytes: Array,
    tp: Array,
    ranks: Array,
    memory_use: Array,
    buffers: Array,
    *,
    drafting: bool = False,
    copies: Array = 0.0,
) -> ServingMemory:
    """Weights and cache room of one rank.

    Parameters
    ----------
    memory_bytes : Array
        Device memory of a rank [byte].
    tp, ranks : Array
        Ranks that share the attention of a sequence, and ranks of the instance, over which the experts are
        spread.
    memory_use : Array
        Share of what is left after weights and buffers that the cache may fill [1].
    buffers : Array
        Workspace and communication buffers [byte].
    drafting : bool
        Draft layers are loaded as well.
    copies : Array
        Further copies of experts that balance their load, over the experts [1].

    Notes
    -----
    room = use x (HBM - (1 + copies) experts / ranks - other / tp - buffers). Attention weights are replicated over
    data-parallel attention replicas.
    """
    stored = weight_bytes(architecture, precisions)
    weights = stored.experts * (1.0 + np.asarray(copies)) / ranks + np.divide(
        stored.other + stored.embeddings, tp
    )
    if drafting:
        weights = weights + stored.mtp_experts / ranks + np.divide(stored.mtp_other, tp)
    room = memory_use * (memory_bytes - weights - buffers)
    return ServingMemory(memory_bytes, weights, buffers, room)


def largest_batch(
    memory: ServingMemory, architecture: Architecture, precisions: Precisions, context: Array, tp: Array
) -> Array:
    """Sequences of a mean context that fit beside the weights, per attention replica; 0 where not one fits
    [sequence].

    Notes
    -----
    Tensor parallelism divides the cache by at most the number of key-value heads; a latent shared by all
    heads is held whole by every rank.
    """
    each = kv_cache_bytes(architecture, context, precisions) / np.minimum(tp, kv_shards(architecture))
    count = memory.room / each
    return np.where(count >= 1.0, count, 0.0)
