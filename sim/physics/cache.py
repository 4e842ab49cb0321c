"""The key-value cache of one sequence: what it holds and what a decoded token reads of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.attention import entries_read, index_key_bytes, latent_entry_bytes, scans
from sim.physics.attention_shapes import (
    CompressedAttention,
    GroupedAttention,
    LatentAttention,
    LinearAttention,
)
from sim.physics.weights import AttentionKind, drafter_blocks
from sim.physics.work import Precisions

Array = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class CacheBytes:
    """Cache of one sequence, all layers.

    Attributes
    ----------
    growing : Array
        Grows with every token of context [byte].
    window : Array
        Sliding windows and chunks, full after their length [byte].
    state : Array
        Recurrent states, independent of context [byte].
    tail : Array
        What compressors and short convolutions keep of the last tokens, independent of context [byte].
    """

    growing: Array
    window: Array
    state: Array
    tail: Array = 0.0

    @property
    def total(self) -> Array:
        """All of it [byte]."""
        return self.growing + self.window + self.state + self.tail


def _layer_cache(group: AttentionKind, context: Array, cache_bytes: float) -> CacheBytes:
    """Cache of one sequence in one layer of a kind."""
    match group:
        case LinearAttention():
            return CacheBytes(0.0, 0.0, group.state_elements * group.state_bytes, _convolution_tail(group))
        case GroupedAttention():
            entry = 2.0 * group.kv_heads * group.head_dim * cache_bytes
            bound = group.window or group.chunk
            if bound:
                return CacheBytes(0.0, entry * np.minimum(context, float(bound)), 0.0)
            return CacheBytes((entry + _own_key_bytes(group, cache_bytes)) * context, 0.0, 0.0)
        case LatentAttention():
            entry = latent_entry_bytes(group, cache_bytes)
            return CacheBytes((entry + _own_key_bytes(group, cache_bytes)) * context, 0.0, 0.0)
        case CompressedAttention():
            window = group.window_entry_bytes * np.minimum(context, float(group.window))
            if not (group.ratio and group.source):
                return CacheBytes(0.0, window, 0.0)
            entry = group.entry_bytes + _own_key_bytes(group, cache_bytes)
            return CacheBytes(entry * context / group.ratio, window, 0.0, _compressor_tail(group))


def _compressor_tail(group: CompressedAttention) -> float:
    """Values and gates of tokens that wait until their entry is full, in fp32 [byte].

    As in the inference code that DeepSeek publishes with V4: twice the tokens and twice the width where entries
    overlap; the indexer's compressor keeps its own.
    """
    if group.ratio == 1:
        return 0.0
    own_keys = group.indexer is not None and group.indexer.mode == "own"
    width = group.head_dim + (group.indexer.dim if group.indexer and own_keys else 0)
    return 2.0 * 4.0 * group.ratio * width * (4 if group.overlapping else 1)


def _convolution_tail(group: LinearAttention) -> float:
    """Inputs that the next token's convolution needs, in 16 bit [byte]."""
    channels = 2 * group.key_heads * group.key_dim + group.value_heads * group.value_dim
    return 2.0 * max(group.convolution - 1, 0) * channels


def _own_key_bytes(
    group: GroupedAttention | LatentAttention | CompressedAttention, cache_bytes: float
) -> float:
    if group.indexer is None or group.indexer.mode != "own":
        return 0.0
    return index_key_bytes(group.indexer, cache_bytes)


def _groups(architecture: Architecture, mtp: bool) -> tuple[AttentionKind, ...]:
    if mtp and architecture.mtp is not None:
        return (*architecture.attention, drafter_blocks(architecture)[0])
    return architecture.attention


def kv_cache_parts(
    architecture: Architecture, context: Array, precisions: Precisions, *, mtp: bool = False
) -> CacheBytes:
    """Cache of one sequence by how it grows [byte]; see :func:`kv_cache_bytes`."""
    growing = window = state = tail = 0.0 * np.asarray(context, dtype=float)
    for group in _groups(architecture, mtp):
        part = _layer_cache(group, context, precisions.kv_bytes)
        growing = growing + group.layers * part.growing
        window = window + group.layers * part.window
        state = state + group.layers * part.state
        tail = tail + group.layers * part.tail
    return CacheBytes(growing, window, state, tail)


def kv_cache_bytes(
    architecture: Architecture, context: Array, precisions: Precisions, *, mtp: bool = False
) -> Array:
    """Cache that one sequence holds at a context length, all layers, undivided [byte].

    Parameters
    ----------
    context : Array
        Tokens in the cache [token].
    mtp : bool
        Count the draft layers' own cache as well.

    Notes
    -----
    Keys, values, index keys, compressed entries, windows, recurrent states, and the tails of compressors and
    short convolutions. Reports leave the tails out; in DeepSeek-V4-Pro they are a third of the cache at 8K.
    """
    return kv_cache_parts(architecture, context, precisions, mtp=mtp).total


def kv_read_bytes(architecture: Architecture, context: Array, precisions: Precisions) -> Array:
    """Traffic of decoding one token with the cache, all layers [byte]; recurrent states are read and written."""
    found = 0.0 * np.asarray(context, dtype=float)
    for group in architecture.attention:
        if isinstance(group, LinearAttention):
            found = found + 2 * group.layers * group.state_elements * group.state_bytes
            continue
        for scan in scans(group, precisions.kv_bytes, True):
            read = entries_read(scan, np.asarray(context, dtype=float) - 1.0, 1.0)
            found = found + group.layers * scan.entry_bytes * read
    return found


def kv_shards(architecture: Architecture) -> float:
    """Largest tensor-parallel degree that divides the cache [1]; a latent shared by all heads is not divided.

    Notes
    -----
    The least divisible kind of layer decides, because it is what a rank must hold.
    """
    return min(_shards(group) for group in architecture.attention)


def _shards(group: AttentionKind) -> float:
    match group:
        case GroupedAttention():
            return float(group.kv_heads)
        case LinearAttention():
            return float(group.value_heads)
        case _:
            return 1.0
