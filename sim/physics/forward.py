"""Operators of a forward pass: the matrices of the model meet the tokens of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sim.physics.architecture import Architecture
from sim.physics.attention import core_width, core_work
from sim.physics.attention_shapes import LinearAttention
from sim.physics.chip import Phase
from sim.physics.weights import AttentionKind, Matrices, drafter_blocks, drafter_matrices, layer_matrices
from sim.physics.work import (
    EIGHT_BIT,
    NO_TRAFFIC,
    ROUTED,
    SIXTEEN_BIT,
    Array,
    Operator,
    Precisions,
    Sharding,
    Traffic,
)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one pass works on."""

    sequences: Array
    new: Array
    past: Array
    group_tokens: Array

    @property
    def tokens(self) -> Array:
        return self.sequences * self.new

    def last(self, count: float) -> _Batch:
        """The last tokens of every prompt only."""
        new = np.minimum(self.new, count)
        share = count / np.maximum(self.new, count)
        return _Batch(self.sequences, new, self.past + self.new - new, self.group_tokens * share)


@dataclass(frozen=True, slots=True)
class _Job:
    """How the pass is run."""

    phase: Phase
    precisions: Precisions
    traffic: Traffic
    fused_attention: bool


def stored_width(part: Matrices, precisions: Precisions) -> float:
    """Stored bytes per weight of a component [byte]; router and stream mixing stay in 16 bit or wider."""
    if part.component == ROUTED:
        return precisions.expert_weight_bytes
    return max(SIXTEEN_BIT, precisions.weight_bytes) if part.sixteen_bit else precisions.weight_bytes


def experts_touched(group_tokens: Array, top_k: float, experts: float) -> Array:
    """Share of the experts of a layer that at least one of the tokens uses [1].

    Notes
    -----
    1 - (1 - k/E)^T under independent uniform routing; skewed routing touches fewer.

    Examples
    --------
    >>> round(float(experts_touched(1.0, 8, 256)), 9)
    0.03125
    """
    if top_k >= experts:
        return 1.0 + 0.0 * np.asarray(group_tokens)
    return -np.expm1(group_tokens * np.log1p(-top_k / experts))


def _precision(part: Matrices, precisions: Precisions) -> str:
    if part.sixteen_bit:
        return "bf16"
    return precisions.expert if part.component == ROUTED else precisions.linear


def _matrix_operator(part: Matrices, hidden: float, batch: _Batch, job: _Job) -> Operator:
    size, precision = job.precisions.activation_bytes, _precision(part, job.precisions)
    moved = part.inputs * (1.0 if precision in EIGHT_BIT else size) + part.outputs * size
    stored = part.layers * part.weights * stored_width(part, job.precisions)
    used, tokens = part.layers * part.uses, batch.tokens
    plain = Operator(
        component=part.component,
        family="gemm",
        precision=precision,
        flop=tokens * (2.0 * used * part.weights),
        weight_bytes=stored,
        token_bytes=tokens * (used * moved),
        rows=tokens,
        layers=part.layers,
        sharding="none" if part.sixteen_bit or part.component == "indexer" else "tensor",
        inputs=tokens * (used * part.inputs),
        outputs=tokens * (used * part.outputs),
        uncut=tokens * (used * hidden),
    )
    if part.component != ROUTED:
        return plain
    tokens = batch.group_tokens
    busy = part.copies * experts_touched(tokens, part.uses, part.copies)
    one_row = np.ones_like(busy)  # where no expert is touched
    rows = np.divide(tokens * part.uses, busy, out=one_row, where=busy > 0)
    return replace(
        plain,
        family="grouped_gemm",
        flop=tokens * (2.0 * used * part.weights),
        weight_bytes=busy * stored,
        token_bytes=tokens * (used * moved),
        rows=rows,
        sharding="expert",
        inputs=tokens * (used * part.inputs),
        outputs=tokens * (used * part.outputs),
        uncut=tokens * (used * part.row),
    )


def _quantise_operator(part: Matrices, batch: _Batch, job: _Job) -> Operator | None:
    if not np.any(job.traffic.quantise_bytes) or _precision(part, job.precisions) not in EIGHT_BIT:
        return None
    expert = part.component == ROUTED
    tokens = batch.group_tokens if expert else batch.tokens
    moved = tokens * (part.layers * part.uses * part.inputs * job.traffic.quantise_bytes)
    return _traffic("quantise", moved, tokens, part.layers, "expert" if expert else "tensor")


def _core_operators(group: AttentionKind, batch: _Batch, job: _Job) -> list[Operator]:
    decode, size = job.phase == "decode", job.precisions.activation_bytes
    work = core_work(
        group,
        batch.past,
        batch.new,
        cache_bytes=job.precisions.kv_bytes,
        decode=decode,
        causal=job.fused_attention,
    )
    count = group.layers * batch.sequences
    moved = count * work.read_bytes + batch.tokens * (group.layers * core_width(group, decode) * size)
    core = Operator(
        component="linear attention" if isinstance(group, LinearAttention) else "attention core",
        family="attention_decode" if decode else "attention_prefill",
        precision=job.precisions.attention,
        flop=count * work.flop,
        weight_bytes=0.0,
        token_bytes=moved,
        rows=batch.tokens,
        layers=group.layers,
        token_shards=work.read_shards,
    )
    found = [core]
    if np.any(work.indexer_flop):
        index = replace(core, component="indexer", precision=job.precisions.linear, sharding="none")
        found.append(replace(index, flop=count * work.indexer_flop, token_bytes=count * work.indexer_bytes))
    if not job.fused_attention and not isinstance(group, LinearAttention):
        scores = group.layers * group.heads * batch.tokens * (batch.past + batch.new)
        moved = job.traffic.score_bytes * scores
        found.append(_traffic("attention scores", moved, batch.tokens, group.layers, "tensor"))
    return found


def _elementwise_operators(
    attention: Iterable[AttentionKind], parts: Iterable[Matrices], hidden: float, batch: _Batch, job: _Job
) -> list[Operator]:
    """Small kernels of layers that see the same tokens: per token, and per routed copy of it."""
    traffic, size = job.traffic, job.precisions.activation_bytes
    parts = tuple(parts)
    blocks = float(sum(group.layers for group in attention))
    routed = [part for part in parts if part.component == ROUTED]
    moe_layers = sum(part.layers for part in routed)
    plain = traffic.hidden * hidden * (blocks + (traffic.moe_factor - 1) * moe_layers)
    plain = plain + traffic.inner * sum(
        part.layers * part.inner for part in parts if part.component != ROUTED
    )
    per_copy = [traffic.routed * part.row + traffic.inner * part.inner for part in routed]
    copied = sum(part.layers * part.uses * each for part, each in zip(routed, per_copy, strict=True))
    found = [_traffic("elementwise", batch.tokens * (plain * size), batch.tokens, blocks, "none")]
    if np.any(copied):
        tokens = batch.group_tokens
        found.append(_traffic("elementwise", tokens * (copied * size), tokens, moe_layers, "expert"))
    return found


def _traffic(component: str, moved: Array, rows: Array, layers: float, sharding: Sharding) -> Operator:
    return Operator(component, "elementwise", "bf16", 0.0, 0.0, moved, rows, layers, sharding)


def _stream_operator(architecture: Architecture, batch: _Batch, job: _Job) -> list[Operator]:
    """Traffic of hyper-connections, two blocks per layer.

    4n + 4 elements per unit of hidden width and block, 2n + 2 in one pass (arXiv 2606.19348 section 3.5.2,
    arXiv 2609.19969 section 2.4.1).
    """
    mixing = architecture.hyper_connections
    if mixing is None:
        return []
    per_block = (2 if mixing.single_pass else 4) * (mixing.streams + 1) * architecture.hidden
    moved = batch.tokens * (2 * architecture.layers * per_block * job.precisions.activation_bytes)
    return [_traffic("elementwise", moved, batch.tokens, architecture.layers, "none")]


def _edge_operators(architecture: Architecture, batch: _Batch, job: _Job) -> list[Operator]:
    """Embedding, n-gram tables and logits; in prefill only the last token of a prompt needs logits."""
    size, wide = job.precisions.activation_bytes, max(SIXTEEN_BIT, job.precisions.weight_bytes)
    lookup = batch.tokens * (architecture.hidden * (wide + size))
    table = Operator("embedding", "lookup", "bf16", 0.0, 0.0, lookup, batch.tokens, 1.0, on_edge=True)
    found = [table]
    if architecture.engram:
        read = batch.tokens * (architecture.engram.rows_per_token * architecture.engram.row_bytes)
        layers = float(len(architecture.engram.rows))
        engram = replace(table, component="engram", token_bytes=read, layers=layers)
        found.append(replace(engram, sharding="none", on_edge=False))
    rows_out = batch.sequences * np.ones_like(batch.new) if job.phase == "prefill" else batch.tokens
    return [*found, _logits(architecture, rows_out, wide, size)]


def _logits(architecture: Architecture, rows: Array, wide: float, size: float) -> Operator:
    weights = float(architecture.vocab * architecture.hidden)
    moved = rows * ((architecture.vocab + architecture.hidden) * size)
    return Operator(
        "logits", "gemm", "bf16", rows * (2 * weights), weights * wide, moved, rows, 1.0, on_edge=True,
        inputs=rows * architecture.hidden, outputs=rows * architecture.vocab, uncut=rows * architecture.hidden,
    )  # fmt: skip


def _batch(sequences: Array, new: Array, past: Array, group_tokens: Array | None) -> _Batch:
    count, fresh, cached = (np.asarray(value, dtype=float) for value in (sequences, new, past))
    return _Batch(count, fresh, cached, count * fresh if group_tokens is None else group_tokens)


def forward_operators(
    architecture: Architecture,
    *,
    phase: Phase,
    sequences: Array,
    new: Array,
    past: Array,
    precisions: Precisions,
    group_tokens: Array | None = None,
    fused_attention: bool = True,
    mtp: bool = True,
    traffic: Traffic = NO_TRAFFIC,
) -> tuple[Operator, ...]:
    """Operators of one forward pass of one attention replica; experts carry the work of their whole group.

    Parameters
    ----------
    phase : {"training", "prefill", "decode"}
        Training: past = 0, new = sequence length. Prefill: a prompt or a chunk of one. Decode: new = 1, or
        1 + drafts under speculation.
    sequences, new, past : Array
        Sequences in the pass, tokens each gets, tokens each has cached. All broadcast.
    group_tokens : Array, optional
        Tokens that enter the expert-parallel group, all its replicas together; default: those of this one.
    fused_attention : bool
        False: score matrices go through memory and the masked half is computed (stacks before 2023).
    mtp : bool
        Training only: count the multi-token-prediction layers if the model trains them. Drafting in decode is
        :func:`draft_operators`.
    traffic : Traffic
        Memory traffic of the small kernels; left out: none.

    Returns
    -------
    tuple of Operator
        Summed over the layers of each kind, in the order of the pass.

    Notes
    -----
    Matrix products 2 FLOP per weight and token; attention core in :mod:`sim.physics.attention`. Router,
    logits and small kernels stay in 16 bit whatever the job's precision; fp8 and fp4 training pays for turning
    inputs into that format. Engram tables are read from wherever they are kept, often host memory.
    """
    job = _Job(phase, precisions, traffic, fused_attention)
    whole = _batch(sequences, new, past, group_tokens)
    replay = phase == "prefill" and architecture.prompt_replay > 0
    batches = {"all": whole, "window": whole.last(architecture.prompt_replay) if replay else whole}
    found: list[Operator] = []
    for prompt, batch in batches.items():
        attention = [group for group in architecture.attention if group.prompt == prompt]
        parts = [part for part in layer_matrices(architecture) if part.prompt == prompt]
        found += _layer_operators(attention, parts, architecture.hidden, batch, job)
    found += _stream_operator(architecture, whole, job) + _edge_operators(architecture, whole, job)
    if phase == "training" and mtp and architecture.mtp and architecture.mtp.trained_with_model:
        found += _draft_pass(architecture, whole, job)
    return tuple(found)


def _layer_operators(
    attention: list[AttentionKind], parts: list[Matrices], hidden: float, batch: _Batch, job: _Job
) -> list[Operator]:
    if not parts:
        return []
    found = [_matrix_operator(part, hidden, batch, job) for part in parts]
    found += [operator for part in parts if (operator := _quantise_operator(part, batch, job))]
    for group in attention:
        found += _core_operators(group, batch, job)
    return found + _elementwise_operators(attention, parts, hidden, batch, job)


def _draft_pass(architecture: Architecture, batch: _Batch, job: _Job) -> list[Operator]:
    """The draft layers once, with a logits product for each of them."""
    attention, _ = drafter_blocks(architecture)
    found = _layer_operators(
        [attention], list(drafter_matrices(architecture)), architecture.hidden, batch, job
    )
    wide = max(SIXTEEN_BIT, job.precisions.weight_bytes)
    logits = _logits(architecture, batch.tokens, wide, job.precisions.activation_bytes)
    found += [logits] * architecture.mtp.modules if architecture.mtp else []
    return [replace(operator, component="mtp", on_edge=True) for operator in found]


def draft_operators(
    architecture: Architecture,
    *,
    sequences: Array,
    past: Array,
    precisions: Precisions,
    group_tokens: Array | None = None,
    traffic: Traffic = NO_TRAFFIC,
) -> tuple[Operator, ...]:
    """Operators of drafting one token per sequence with the model's own draft layers.

    Raises
    ------
    ValueError
        When the model has none.
    """
    if architecture.mtp is None:
        raise ValueError("the model has no draft layers")
    job = _Job("decode", precisions, traffic, True)
    return tuple(_draft_pass(architecture, _batch(sequences, 1.0, past, group_tokens), job))
