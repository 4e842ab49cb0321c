"""The matrices of a model, kind by kind: the one list from which parameters, FLOPs and bytes follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import (
    CompressedAttention,
    GroupedAttention,
    Indexer,
    LatentAttention,
    LinearAttention,
)
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.layer_group import Prompt

AttentionKind = GroupedAttention | LatentAttention | CompressedAttention | LinearAttention
FeedForwardKind = DenseFeedForward | MixtureOfExperts


@dataclass(frozen=True, slots=True)
class Matrices:
    """Matrices of one component that a token is multiplied with, in one layer.

    Attributes
    ----------
    component : str
        As in :class:`sim.physics.operators.Operator`.
    weights : float
        Matrix elements in a layer (one expert, for routed experts) [1].
    vectors : float
        Biases and other vectors that come with them [1].
    inputs, outputs : float
        Elements that a token brings to and takes from these matrices [1].
    layers : float
        Layers that have them.
    prompt : Prompt
        Which tokens of a prompt run through them.
    copies : float
        Copies stored per layer: routed experts; 1 for everything else.
    uses : float
        Copies that one token is multiplied with: chosen experts; 1 for everything else.
    row, inner : float
        Feed-forward blocks: width of a token on its way in, and inner width [1].
    sixteen_bit : bool
        True for what stays in 16 bit whatever the job's precision (router, mixing of residual streams).
    """

    component: str
    weights: float
    vectors: float
    inputs: float
    outputs: float
    layers: float
    prompt: Prompt = "all"
    copies: float = 1.0
    uses: float = 1.0
    row: float = 0.0
    inner: float = 0.0
    sixteen_bit: bool = False


def _matrices(
    component: str,
    shapes: Sequence[tuple[float, float]],
    layers: float,
    prompt: Prompt,
    vectors: float = 0.0,
    sixteen_bit: bool = False,
) -> Matrices:
    """Matrices given as (input width, output width); those that share an input are one."""
    weights = sum(rows * columns for rows, columns in shapes)
    inputs, outputs = sum(rows for rows, _ in shapes), sum(columns for _, columns in shapes)
    return Matrices(component, weights, vectors, inputs, outputs, layers, prompt, sixteen_bit=sixteen_bit)


def _grouped(group: GroupedAttention, hidden: int) -> list[Matrices]:
    query, key = group.heads * group.head_dim, group.kv_heads * group.head_dim
    wide = query * (2 if group.output_gate else 1)
    rank = group.query_rank
    shapes = [(hidden, wide + 2 * key)] if rank is None else [(hidden, rank + 2 * key), (rank, wide)]
    shapes += [(query, hidden)] + ([(hidden, query)] if group.relative_positions else [])
    bias = {"none": 0, "qkv": query + 2 * key, "all": query + 2 * key + hidden}[group.bias]
    norm = {"none": 0, "head": 2 * group.head_dim, "full": query + key}[group.query_key_norm]
    vectors = bias + norm + (group.heads if group.sinks else 0) + (rank or 0)
    found = [_matrices("attention projections", shapes, group.layers, group.prompt, vectors)]
    return found + _indexer(group, group.indexer, hidden, hidden, 1)


def _latent(group: LatentAttention, hidden: int) -> list[Matrices]:
    rank = group.query_rank
    wide = group.heads * (group.nope_dim + group.rope_dim)
    value = group.heads * group.value_dim
    entry = group.kv_rank + group.rope_dim + (value if group.output_gate else 0)
    shapes = [(hidden, wide + entry)] if rank is None else [(hidden, rank + entry), (rank, wide)]
    shapes += [(group.kv_rank, group.heads * group.nope_dim + value), (value, hidden)]
    vectors = (rank or 0) + group.kv_rank
    found = [_matrices("attention projections", shapes, group.layers, group.prompt, vectors)]
    return found + _indexer(group, group.indexer, hidden, rank or hidden, 1)


def _compressed(group: CompressedAttention, hidden: int) -> list[Matrices]:
    wide = group.heads * group.head_dim
    shapes: list[tuple[float, float]] = [
        (hidden, group.query_rank + group.head_dim),
        (group.query_rank, wide),
    ]
    shapes += [(wide / group.output_groups, group.output_rank)] * group.output_groups
    shapes += [(group.output_groups * group.output_rank, hidden)]
    vectors = group.query_rank + group.head_dim + group.heads
    found = [_matrices("attention projections", shapes, group.layers, group.prompt, vectors)]
    if group.ratio and group.source:
        # Other layers read these entries, so every token is compressed even where the layer itself is skipped.
        found.append(
            _matrices(
                "attention projections", _compressor(group, hidden, group.head_dim), group.layers, "all"
            )
        )
    return found + _indexer(group, group.indexer, hidden, group.query_rank, group.ratio)


def _compressor(group: CompressedAttention, hidden: int, width: int) -> list[tuple[float, float]]:
    """Value and gate projections that turn `ratio` tokens into one entry; one projection if nothing merges."""
    if group.ratio <= 1:
        return [(hidden, width)]
    return [(hidden, 2 * width * (2 if group.overlapping else 1))]


def _indexer(
    group: GroupedAttention | LatentAttention | CompressedAttention,
    indexer: Indexer | None,
    hidden: int,
    query_width: int,
    ratio: int,
) -> list[Matrices]:
    if indexer is None or indexer.mode == "reuse":
        return []
    shapes: list[tuple[float, float]] = [(query_width, indexer.heads * indexer.dim)]
    if not isinstance(group, GroupedAttention):
        shapes.append((hidden, indexer.heads))  # weights of the heads; block selection has none
    found = [_matrices("indexer", shapes, group.layers, group.prompt)]
    if indexer.mode == "own":
        keys: list[tuple[float, float]] = [(hidden, indexer.dim)]
        if isinstance(group, CompressedAttention) and ratio > 1:
            keys = _compressor(group, hidden, indexer.dim)
        found.append(_matrices("indexer", keys, group.layers, "all"))
    return found


def _linear(group: LinearAttention, hidden: int) -> list[Matrices]:
    key, value = group.key_heads * group.key_dim, group.value_heads * group.value_dim
    gates = {"lightning": 0, "gated-delta": 2 * group.value_heads, "kda": group.key_heads + group.key_dim}[
        group.rule
    ]
    shapes: list[tuple[float, float]] = [(hidden, 2 * key + 2 * value + gates), (value, hidden)]
    if group.rule == "kda":
        shapes.append((group.key_dim, key))
    vectors = group.convolution * (2 * key + value) + value
    return [_matrices("attention projections", shapes, group.layers, group.prompt, vectors)]


def attention_matrices(group: AttentionKind, hidden: int) -> list[Matrices]:
    """Matrices of one kind of attention layer."""
    match group:
        case GroupedAttention():
            return _grouped(group, hidden)
        case LatentAttention():
            return _latent(group, hidden)
        case CompressedAttention():
            return _compressed(group, hidden)
        case LinearAttention():
            return _linear(group, hidden)


def _feed_forward(hidden: float, inner: float, gated: bool) -> list[tuple[float, float]]:
    return [(hidden, inner * (2 if gated else 1)), (inner, hidden)]


def feed_forward_matrices(group: FeedForwardKind, hidden: int) -> list[Matrices]:
    """Matrices of one kind of feed-forward layer; routed experts last."""
    layers, prompt = group.layers, group.prompt
    if isinstance(group, DenseFeedForward):
        shapes = _feed_forward(hidden, group.intermediate, group.gated)
        vectors = hidden + group.intermediate * (2 if group.gated else 1) if group.bias else 0
        dense = _matrices("dense ffn", shapes, layers, prompt, vectors)
        return [replace(dense, row=hidden, inner=group.intermediate)]
    slots = group.experts + group.zero_experts
    found = [_matrices("router", [(hidden, slots)], layers, prompt, slots, sixteen_bit=True)]
    if group.shared_experts:
        inner = group.shared_experts * (group.shared_intermediate or group.intermediate)
        shapes = _feed_forward(hidden, inner, group.gated) + ([(hidden, 1)] if group.shared_gate else [])
        found.append(replace(_matrices("shared experts", shapes, layers, prompt), row=hidden, inner=inner))
    width = group.latent or hidden
    if group.latent:
        found.append(_matrices("latent projections", [(hidden, width), (width, hidden)], layers, prompt))
    vectors = width + group.intermediate * (2 if group.gated else 1) if group.bias else 0
    expert = _matrices(
        "routed experts", _feed_forward(width, group.intermediate, group.gated), layers, prompt, vectors
    )
    chosen = replace(expert, copies=float(group.experts), uses=group.active_experts)
    return [*found, replace(chosen, row=width, inner=group.intermediate)]


def _stream_matrices(architecture: Architecture) -> list[Matrices]:
    """Mixing weights of hyper-connections: n^2 + 2n outputs from n streams, for each of two blocks."""
    if architecture.hyper_connections is None:
        return []
    streams = architecture.hyper_connections.streams
    outputs = streams * streams + 2 * streams
    shapes = [(float(streams * architecture.hidden), float(outputs))] * 2
    return [
        _matrices(
            "hyper connections", shapes, architecture.layers, "all", 2.0 * (outputs + 3), sixteen_bit=True
        )
    ]


@lru_cache(maxsize=256)
def layer_matrices(architecture: Architecture) -> tuple[Matrices, ...]:
    """Every matrix of the layers of a model: no embedding, head, draft layers or vision encoder."""
    found: list[Matrices] = []
    for attention in architecture.attention:
        found += attention_matrices(attention, architecture.hidden)
    for ffn in architecture.ffn:
        found += feed_forward_matrices(ffn, architecture.hidden)
    return tuple(found + _stream_matrices(architecture))


@lru_cache(maxsize=256)
def drafter_matrices(architecture: Architecture) -> tuple[Matrices, ...]:
    """Matrices of the draft layers: an attention and a feed-forward block each, and a 2h x h projection.

    The projection joins the hidden vector with the embedding of the token drafted last.
    """
    if architecture.mtp is None:
        return ()
    attention, ffn = drafter_blocks(architecture)
    joint = _matrices(
        "mtp", [(2.0 * architecture.hidden, architecture.hidden)], architecture.mtp.modules, "all"
    )
    blocks = attention_matrices(attention, architecture.hidden) + feed_forward_matrices(
        ffn, architecture.hidden
    )
    return (joint, *blocks)


def drafter_blocks(architecture: Architecture) -> tuple[AttentionKind, FeedForwardKind]:
    """Attention and feed-forward group of the draft layers; `layers` is the number of draft layers."""
    assert architecture.mtp is not None
    modules = architecture.mtp.modules
    attention = architecture.mtp.attention or architecture.attention[-1]
    ffn = architecture.mtp.ffn or architecture.ffn[-1]
    return replace(attention, layers=modules, prompt="all"), replace(ffn, layers=modules, prompt="all")
