"""The attention core: how many earlier positions a token attends to, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.physics.attention_shapes import (
    CompressedAttention,
    GroupedAttention,
    Indexer,
    LatentAttention,
    LinearAttention,
)
from sim.physics.weights import AttentionKind

Array = NDArray[np.float64] | float
ALL = float("inf")


@dataclass(frozen=True, slots=True)
class Scan:
    """One look of every new token at earlier entries of the cache, in one layer.

    Attributes
    ----------
    component : str
        "attention core" or "indexer".
    flop : float
        Work per query token and attended entry, all heads [FLOP].
    entry_bytes : float
        Bytes read per attended entry [byte].
    limit : float
        Entries attended at most [entries]; inf: all.
    stride : float
        Tokens per entry: 4 where four tokens are compressed into one.
    chunk : float
        Length of the chunks attention stays inside [token]; 0: none.
    shared : bool
        True when the tokens of one pass read an entry together (dense and window attention); False when each
        reads its own selection.
    read_shards : float
        Largest tensor-parallel degree that divides the entries read (key-value heads); 1 for a shared latent.
    """

    component: str
    flop: float
    entry_bytes: float
    limit: float = ALL
    stride: float = 1.0
    chunk: float = 0.0
    shared: bool = True
    read_shards: float = 1.0


def mean_attended(scan: Scan, past: Array, new: Array) -> Array:
    """Entries attended per new token, averaged over the new tokens [entries].

    New token i of a sequence sits at position past + i and attends to all positions up to its own, or to
    ``limit`` of them at most.

    Notes
    -----
    Closed form of (1/new) sum_{p = past+1}^{past+new} min(p / stride, limit): the sum is S(past+new) - S(past)
    with S(n) = m (m + 1) / (2 stride) + (n - m) limit and m = min(n, limit stride). Inside chunks: full triangles
    plus a rest.

    Examples
    --------
    >>> float(mean_attended(Scan("attention core", 1, 1), 0.0, 4.0))  # 1, 2, 3 and 4 positions
    2.5
    >>> float(mean_attended(Scan("attention core", 1, 1, limit=2), 0.0, 4.0))  # 1, 2, 2 and 2
    1.75
    """
    return attended(scan, past, new) / new


def attended(scan: Scan, past: Array, new: Array) -> Array:
    """Entries attended by all new tokens of a sequence together [entries]; see :func:`mean_attended`."""
    return _attended_sum(scan, np.add(past, new)) - _attended_sum(scan, past)


def _attended_sum(scan: Scan, length: Array) -> Array:
    """Attended entries of all tokens of a sequence of this length, each attending to what precedes it."""
    if scan.chunk:
        full = np.floor_divide(length, scan.chunk)
        rest = length - full * scan.chunk
        return full * scan.chunk * (scan.chunk + 1) / 2 + rest * (rest + 1) / 2
    if scan.limit == ALL:
        return length * (length + 1.0) / (2 * scan.stride)
    early = np.minimum(length, scan.limit * scan.stride)
    return early * (early + 1) / (2 * scan.stride) + (length - early) * scan.limit


def entries_read(scan: Scan, past: Array, new: Array) -> Array:
    """Entries one sequence reads in one pass of one layer [entries]."""
    length = np.add(past, new)
    if scan.chunk:
        return np.minimum(length, np.mod(past, scan.chunk) + new)
    if not scan.shared:
        return attended(scan, past, new)
    return np.minimum(length / scan.stride, scan.limit + (new - 1.0) if scan.limit != ALL else ALL)


@lru_cache(maxsize=1024)
def scans(group: AttentionKind, cache_bytes: float, absorbed: bool) -> tuple[Scan, ...]:
    """The scans of one layer of an attention kind.

    Parameters
    ----------
    cache_bytes : float
        Bytes per cached element where the architecture fixes no layout [byte].
    absorbed : bool
        MLA only: True for the form that works on the latent (decode), False for the form that expands keys
        and values per head (prefill and training).

    References
    ----------
    GQA: arXiv 2305.13245. MLA: arXiv 2405.04434 section 2.1. DSA: arXiv 2512.02556 section 2.1.
    CSA and HCA: arXiv 2606.19348 section 2.3. CSA2: arXiv 2609.19969 section 2.2.
    """
    match group:
        case GroupedAttention():
            return _grouped_scans(group, cache_bytes)
        case LatentAttention():
            return _latent_scans(group, cache_bytes, absorbed)
        case CompressedAttention():
            return _compressed_scans(group, cache_bytes)
        case LinearAttention():
            return ()


def _grouped_scans(group: GroupedAttention, cache_bytes: float) -> tuple[Scan, ...]:
    limit = float(group.window or ALL) if group.indexer is None else group.indexer.selected
    core = Scan(
        "attention core",
        flop=4.0 * group.heads * group.head_dim,
        entry_bytes=2.0 * group.kv_heads * group.head_dim * cache_bytes,
        limit=limit,
        chunk=float(group.chunk or 0),
        shared=group.indexer is None,
        read_shards=float(group.kv_heads),
    )
    return (core, *_index_scans(group.indexer, 1.0, cache_bytes))


def _latent_scans(group: LatentAttention, cache_bytes: float, absorbed: bool) -> tuple[Scan, ...]:
    wide = 2 * group.kv_rank + group.rope_dim
    if not absorbed:
        wide = group.nope_dim + group.rope_dim + group.value_dim
    sparse = absorbed and group.indexer is not None
    core = Scan(
        "attention core",
        flop=2.0 * group.heads * wide,
        entry_bytes=latent_entry_bytes(group, cache_bytes) if absorbed else group.heads * wide * 2.0,
        limit=group.indexer.selected if sparse and group.indexer else ALL,
        shared=not sparse,
        read_shards=1.0 if absorbed else float(group.heads),
    )
    return (core, *_index_scans(group.indexer, 1.0, cache_bytes))


def latent_entry_bytes(group: LatentAttention, cache_bytes: float) -> float:
    """Bytes of one cached latent: the published kernel layout at 8 bit, plain elements otherwise [byte]."""
    if cache_bytes <= 1.0 and group.packed_entry_bytes is not None:
        return group.packed_entry_bytes
    return (group.kv_rank + group.rope_dim) * cache_bytes


def _compressed_scans(group: CompressedAttention, cache_bytes: float) -> tuple[Scan, ...]:
    flop = 4.0 * group.heads * group.head_dim
    found = [Scan("attention core", flop, group.window_entry_bytes, limit=float(group.window))]
    if group.ratio:
        limit = group.indexer.selected if group.indexer else ALL
        found.append(
            Scan(
                "attention core",
                flop,
                group.entry_bytes,
                limit,
                float(group.ratio),
                shared=group.indexer is None,
            )
        )
    return (*found, *_index_scans(group.indexer, float(group.ratio), cache_bytes))


def index_key_bytes(indexer: Indexer, cache_bytes: float) -> float:
    """Bytes of one cached index key [byte]."""
    return indexer.dim * cache_bytes if indexer.key_bytes is None else indexer.key_bytes


def _index_scans(indexer: Indexer | None, stride: float, cache_bytes: float) -> tuple[Scan, ...]:
    if indexer is None or indexer.mode == "reuse":
        return ()
    limit = float(indexer.candidates) if indexer.mode == "search" and indexer.candidates else ALL
    flop = 2.0 * indexer.heads * indexer.dim
    return (Scan("indexer", flop, index_key_bytes(indexer, cache_bytes), limit, stride),)


def core_width(group: AttentionKind, decode: bool) -> float:
    """Elements of query and output per token in one layer [1]."""
    match group:
        case LatentAttention():
            wide = 2 * group.kv_rank + group.rope_dim
            return float(
                group.heads * (wide if decode else group.nope_dim + group.rope_dim + group.value_dim)
            )
        case LinearAttention():
            return float(2 * group.key_heads * group.key_dim + 2 * group.value_heads * group.value_dim)
        case _:
            return 2.0 * group.heads * group.head_dim


def recurrence_flop(group: LinearAttention) -> float:
    """Update and read of the recurrent state for one token in one layer [FLOP].

    Notes
    -----
    Lightning decays, adds k v^T and reads with q: 4 d_k d_v per head. Delta rules also read what the state
    holds under k before they add: 6 d_k d_v.
    """
    return (4.0 if group.rule == "lightning" else 6.0) * group.state_elements


def expansion_flop(group: LatentAttention) -> float:
    """Turning one cached latent back into keys and values of all heads, in one layer [FLOP]."""
    return 2.0 * group.kv_rank * group.heads * (group.nope_dim + group.value_dim)


@dataclass(frozen=True, slots=True)
class CoreWork:
    """Work of one sequence in one layer.

    Attributes
    ----------
    flop, indexer_flop : Array
        Arithmetic of core and indexer [FLOP].
    read_bytes, indexer_bytes : Array
        Cache entries read [byte].
    read_shards : float
        Largest tensor-parallel degree that divides ``read_bytes``.
    """

    flop: Array
    indexer_flop: Array
    read_bytes: Array
    indexer_bytes: Array
    read_shards: float


def core_work(
    group: AttentionKind, past: Array, new: Array, *, cache_bytes: float, decode: bool, causal: bool = True
) -> CoreWork:
    """Attention core and indexer of ``new`` tokens after ``past`` cached ones, one sequence and one layer.

    Parameters
    ----------
    past, new : Array
        Cached and new tokens of the sequence [token].
    decode : bool
        Few new tokens: MLA works on the latent. Otherwise MLA expands keys and values (again, for cached ones)
        or works on the latent, whichever costs less; sparse selection needs the latent form.
    causal : bool
        False: kernels of old stacks that compute the masked half as well.

    Notes
    -----
    Selected or windowed attention is never computed beyond its mask.
    """
    if isinstance(group, LinearAttention):
        state = 2 * group.state_elements * group.state_bytes  # read and written back
        return CoreWork(recurrence_flop(group) * new, 0.0, state, 0.0, float(group.value_heads))
    chosen = _sum_scans(scans(group, cache_bytes, True), past, new, causal)
    if isinstance(group, LatentAttention) and not decode:
        expanded = _sum_scans(scans(group, cache_bytes, False), past, new, causal)
        flop = expanded.flop + expansion_flop(group) * past
        cheaper = flop <= chosen.flop
        return CoreWork(
            np.where(cheaper, flop, chosen.flop),
            chosen.indexer_flop,
            np.where(cheaper, expanded.read_bytes, chosen.read_bytes),
            chosen.indexer_bytes,
            expanded.read_shards,
        )
    return chosen


def _sum_scans(found: tuple[Scan, ...], past: Array, new: Array, causal: bool) -> CoreWork:
    flop: dict[str, Array] = {"attention core": 0.0, "indexer": 0.0}
    read: dict[str, Array] = {"attention core": 0.0, "indexer": 0.0}
    for scan in found:
        whole = not causal and scan.limit == ALL and not scan.chunk
        entries = np.add(past, new) / scan.stride * new if whole else attended(scan, past, new)
        flop[scan.component] = flop[scan.component] + scan.flop * entries
        read[scan.component] = read[scan.component] + scan.entry_bytes * entries_read(scan, past, new)
    return CoreWork(
        flop["attention core"], flop["indexer"], read["attention core"], read["indexer"], found[0].read_shards
    )
