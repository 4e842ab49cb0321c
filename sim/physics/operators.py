"""The operators of a model: how much work, on how many bytes, in which shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture, LinearAttention
from sim.physics.attention import core_width, core_work
from sim.physics.chip import Family, Phase
from sim.physics.weights import AttentionKind, Matrices, drafter_blocks, drafter_matrices, layer_matrices

Array = NDArray[np.float64] | float
Sharding = Literal["tensor", "expert", "none"]
ROUTED = "routed experts"
EIGHT_BIT = ("fp8", "int8", "fp4")  # arithmetic whose inputs are quantised (fp4 weights meet 8-bit inputs)
SIXTEEN_BIT = 2.0  # bytes of what no recipe stores in 8 bit: embeddings, head, router, norms


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of kernel of a forward pass, summed over the layers that contain it.

    Work is that of one attention replica before it is split (for ``sharding="expert"``: of the whole
    expert-parallel group). The layout divides it.

    Attributes
    ----------
    component : str
        What it belongs to, for breakdowns: "attention projections", "attention core", "indexer", "dense ffn",
        "shared experts", "routed experts", "router", "logits", "embedding", "elementwise", "linear attention", "engram", "mtp".
    family : Family
        Which kernel curve sets its efficiency.
    precision : str
        Precision of the arithmetic: a key of ``Chip.matrix_peak``.
    flop : Array
        Arithmetic, multiply-add = 2 [FLOP].
    weight_bytes : Array
        Weights read, once per pass however many tokens share them [byte].
    token_bytes : Array
        Activations, key-value cache read and written, score matrices [byte].
    rows : Array
        Rows per matrix product: tokens, or tokens per touched expert [rows].
    layers : float
        Layers (kernel launches per pass) it occurs in.
    sharding : {"tensor", "expert", "none"}
        Which parallel degree divides it.
    on_edge : bool
        True for embedding, logits, MTP: work of the first or last pipeline stage, not of every layer.
    token_shards : float
        Largest tensor-parallel degree that divides ``token_bytes``: the key-value heads, or 1 for a latent that all heads
        share and every rank reads whole; inf where nothing limits it.
    """

    component: str
    family: Family
    precision: str
    flop: Array
    weight_bytes: Array
    token_bytes: Array
    rows: Array
    layers: float
    sharding: Sharding = "tensor"
    on_edge: bool = False
    token_shards: float = float("inf")


@dataclass(frozen=True, slots=True)
class Precisions:
    """Number formats of a job, by role.

    Attributes
    ----------
    linear, expert : str
        Arithmetic of the large GEMMs of attention and dense layers, and of the routed experts.
    attention : str
        Arithmetic of the attention core.
    weight_bytes, expert_weight_bytes : float
        Stored bytes per weight outside and inside the routed experts [byte] (fp4 with scales: 0.53).
    kv_bytes : float
        Bytes per element of key-value cache where the architecture does not fix its own layout [byte].
    activation_bytes : float
        Bytes per activation element in elementwise traffic [byte].
    dispatch_bytes, combine_bytes : float
        Bytes per element sent to and returned from the experts [byte].
    """

    linear: str = "bf16"
    expert: str = "bf16"
    attention: str = "bf16"
    weight_bytes: float = 2.0
    expert_weight_bytes: float = 2.0
    kv_bytes: float = 2.0
    activation_bytes: float = 2.0
    dispatch_bytes: float = 2.0
    combine_bytes: float = 2.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Memory traffic of the small kernels between the matrix products: norms, residuals, rotary, activations, permutes.

    Attributes
    ----------
    hidden : float
        Elements moved per token, attention block and unit of hidden width.
    moe_factor : float
        Factor on that in layers with routed experts.
    inner : float
        Passes over the inner width of the feed-forward blocks (the activation function).
    routed : float
        Passes over every routed copy of a token (permute, dispatch buffers, unpermute, weighted sum).
    quantise_bytes : float
        Bytes moved per GEMM input element to turn it into fp8 or fp4 [byte].
    score_bytes : float
        Bytes per attention score where attention is not fused [byte].
    """

    hidden: float
    moe_factor: float = 1.0
    inner: float = 0.0
    routed: float = 0.0
    quantise_bytes: float = 0.0
    score_bytes: float = 13.0


# Both sets reproduce published step times within the errors stated with the validation tables. In training 24 bytes per
# unit of hidden width (12 elements of 2 bytes), 2-3 passes over the activation and 5 over routed rows, 3 bytes per
# quantised element; 13 bytes per score is softmax, mask and dropout of Korthikanti et al., arXiv 2205.05198, section 4.
TRAINING_TRAFFIC = Traffic(hidden=12.0, inner=2.5, routed=5.0, quantise_bytes=3.0)
# Serving engines run less fused kernels at small batch: 24 elements per unit of hidden width, 1.3 times that with experts.
SERVING_TRAFFIC = Traffic(hidden=24.0, moe_factor=1.3)


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
        return _Batch(self.sequences, new, self.past + self.new - new, self.group_tokens * (new / self.new))


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


def experts_touched(group_tokens: Array, top_k: Array, experts: Array) -> Array:
    """Share of the experts of a layer that at least one of the tokens uses [1].

    Notes
    -----
    1 - (1 - k/E)^T under independent uniform routing; skewed routing touches fewer.

    Examples
    --------
    >>> float(experts_touched(1.0, 8, 256))
    0.03125
    """
    if top_k >= experts:
        return 1.0 + 0.0 * np.asarray(group_tokens)
    return -np.expm1(group_tokens * np.log1p(-top_k / experts))


def _matrix_operator(part: Matrices, batch: _Batch, job: _Job) -> Operator:
    precisions = job.precisions
    width, flop = stored_width(part, precisions), 2.0 * part.uses * part.layers * part.weights
    precision = (
        "bf16" if part.sixteen_bit else precisions.expert if part.component == ROUTED else precisions.linear
    )
    input_bytes = 1.0 if precision in EIGHT_BIT else precisions.activation_bytes
    moved = part.layers * part.uses * (part.inputs * input_bytes + part.outputs * precisions.activation_bytes)
    if part.component != ROUTED:
        return Operator(
            part.component, "gemm", precision, batch.tokens * flop,
            part.layers * part.weights * width, batch.tokens * moved, batch.tokens, part.layers,
            "none" if part.sixteen_bit or part.component == "indexer" else "tensor",
        )  # fmt: skip
    tokens = batch.group_tokens
    touched = experts_touched(tokens, part.uses, part.copies)
    return Operator(
        ROUTED, "grouped_gemm", precision, tokens * flop,
        touched * (part.copies * part.layers * part.weights * width), tokens * moved,
        tokens * part.uses / (part.copies * touched), part.layers, "expert",
    )  # fmt: skip


def _quantise_operator(part: Matrices, batch: _Batch, job: _Job) -> Operator | None:
    precision = job.precisions.expert if part.component == ROUTED else job.precisions.linear
    if part.sixteen_bit or not job.traffic.quantise_bytes or precision not in EIGHT_BIT:
        return None
    expert = part.component == ROUTED
    tokens = batch.group_tokens if expert else batch.tokens
    moved = tokens * (part.layers * part.uses * part.inputs * job.traffic.quantise_bytes)
    sharding: Sharding = "expert" if expert else "tensor"
    return Operator("quantise", "elementwise", "bf16", 0.0, 0.0, moved, tokens, part.layers, sharding)


def _core_operators(group: AttentionKind, batch: _Batch, job: _Job) -> list[Operator]:
    decode, precisions = job.phase == "decode", job.precisions
    work = core_work(
        group,
        batch.past,
        batch.new,
        cache_bytes=precisions.kv_bytes,
        decode=decode,
        causal=job.fused_attention,
    )
    family: Family = "attention_decode" if decode else "attention_prefill"
    moved = batch.sequences * work.read_bytes + batch.tokens * (
        core_width(group, decode) * precisions.activation_bytes
    )
    name = "linear attention" if isinstance(group, LinearAttention) else "attention core"
    found = [
        Operator(
            name, family, precisions.attention, group.layers * batch.sequences * work.flop, 0.0, group.layers * moved,
            batch.tokens, group.layers, "tensor", token_shards=work.read_shards,
        )
    ]  # fmt: skip
    if np.any(work.indexer_flop):
        found.append(
            Operator(
                "indexer", family, precisions.linear, group.layers * batch.sequences * work.indexer_flop, 0.0,
                group.layers * batch.sequences * work.indexer_bytes, batch.tokens, group.layers, "none",
            )
        )  # fmt: skip
    if not job.fused_attention and not isinstance(group, LinearAttention):
        scores = group.layers * group.heads * batch.tokens * (batch.past + batch.new)
        found.append(
            Operator(
                "attention scores", "elementwise", "bf16", 0.0, 0.0, job.traffic.score_bytes * scores, batch.tokens,
                group.layers,
            )
        )  # fmt: skip
    return found


def _elementwise_operators(
    attention: Iterable[AttentionKind], parts: Iterable[Matrices], hidden: float, batch: _Batch, job: _Job
) -> list[Operator]:
    """Small kernels of layers that see the same tokens: those of every token, and those of its routed copies."""
    traffic, size = job.traffic, job.precisions.activation_bytes
    parts = tuple(parts)
    blocks = float(sum(group.layers for group in attention))
    routed = [part for part in parts if part.component == ROUTED]
    moe_layers = sum(part.layers for part in routed)
    plain = traffic.hidden * hidden * (blocks + (traffic.moe_factor - 1) * moe_layers)
    plain += traffic.inner * sum(part.layers * part.inner for part in parts if part.component != ROUTED)
    rows = sum(
        part.layers * part.uses * (traffic.routed * part.row + traffic.inner * part.inner) for part in routed
    )
    found = [_traffic("elementwise", batch.tokens * (plain * size), batch.tokens, blocks, "none")]
    if rows:
        found.append(
            _traffic(
                "elementwise", batch.group_tokens * (rows * size), batch.group_tokens, moe_layers, "expert"
            )
        )
    return found


def _traffic(component: str, moved: Array, rows: Array, layers: float, sharding: Sharding) -> Operator:
    return Operator(component, "elementwise", "bf16", 0.0, 0.0, moved, rows, layers, sharding)


def _stream_operator(architecture: Architecture, batch: _Batch, job: _Job) -> list[Operator]:
    """Traffic of hyper-connections: 4n + 4 elements per unit of hidden width and block, 2n + 2 in one pass
    (arXiv 2606.19348 section 3.5.2, arXiv 2609.19969 section 2.4.1); two blocks per layer."""
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
    found = [Operator("embedding", "lookup", "bf16", 0.0, 0.0, lookup, batch.tokens, 1.0, on_edge=True)]
    if architecture.engram:
        rows = architecture.engram.rows_per_token * architecture.engram.row_bytes
        layers = float(len(architecture.engram.rows))
        found.append(
            Operator("engram", "lookup", "bf16", 0.0, 0.0, batch.tokens * rows, batch.tokens, layers, "none")
        )
    rows_out = batch.sequences * np.ones_like(batch.new) if job.phase == "prefill" else batch.tokens
    return [*found, _logits(architecture, rows_out, wide, size)]


def _logits(architecture: Architecture, rows: Array, wide: float, size: float) -> Operator:
    weights = float(architecture.vocab * architecture.hidden)
    moved = rows * ((architecture.vocab + architecture.hidden) * size)
    return Operator(
        "logits", "gemm", "bf16", rows * (2 * weights), weights * wide, moved, rows, 1.0, on_edge=True
    )


def _batch(sequences: Array, new: Array, past: Array, group_tokens: Array | None) -> _Batch:
    sequences, new, past = (np.asarray(value, dtype=float) for value in (sequences, new, past))
    return _Batch(
        sequences, new, past, sequences * new if group_tokens is None else np.asarray(group_tokens, float)
    )


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
    traffic: Traffic | None = None,
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
        Tokens that enter the expert-parallel group, all its replicas together; default: those of this replica.
    fused_attention : bool
        False: score matrices go through memory and the masked half is computed (stacks before 2023).
    mtp : bool
        Training only: count the multi-token-prediction layers if the model trains them. Drafting in decode is
        :func:`draft_operators`.
    traffic : Traffic, optional
        Small-kernel traffic; default by phase.

    Returns
    -------
    tuple of Operator
        Summed over the layers of each kind, in the order of the pass.

    Notes
    -----
    Matrix products 2 FLOP per weight and token; attention core in :mod:`sim.physics.attention`. Router, logits,
    attention core and small kernels stay in 16 bit unless ``precisions.attention`` says otherwise.
    """
    job = _Job(
        phase,
        precisions,
        traffic or (TRAINING_TRAFFIC if phase == "training" else SERVING_TRAFFIC),
        fused_attention,
    )
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
    found = [_matrix_operator(part, batch, job) for part in parts]
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
) -> tuple[Operator, ...]:
    """Operators of drafting one token per sequence with the model's own draft layers.

    Raises
    ------
    ValueError
        When the model has none.
    """
    if architecture.mtp is None:
        raise ValueError("the model has no draft layers")
    job = _Job("decode", precisions, SERVING_TRAFFIC, True)
    return tuple(_draft_pass(architecture, _batch(sequences, 1.0, past, group_tokens), job))


Part = Literal["all", "input", "weight"]
# Backward over forward, (gradients of the inputs, gradients of the weights). A matrix product needs one more product for
# each; the core recomputes scores and makes three gradients, 5 products for 2 (FlashAttention-2, arXiv 2307.08691);
# small kernels, quantisation and unfused scores move 1.8, 1.5 and 20/13 times their forward bytes.
_BACKWARD_FLOP = {"gemm": (1.0, 1.0), "grouped_gemm": (1.0, 1.0), "attention_prefill": (2.5, 0.0)}
_BACKWARD_BYTES = {"quantise": (0.75, 0.75), "attention scores": (20 / 13, 0.0), "indexer": (2.0, 0.0)}


def backward_operators(
    forward: Iterable[Operator], *, part: Part = "all", gradient_traffic: float = 4.0
) -> tuple[Operator, ...]:
    """Operators of the backward pass that belongs to a forward pass.

    Parameters
    ----------
    part : {"all", "input", "weight"}
        Zero-bubble schedules run the gradients of inputs and of weights at different times; "all" is their sum.
    gradient_traffic : float
        Bytes of gradient accumulator read and written per byte of weight: 4 for 16-bit weights and an fp32
        accumulator.
    """
    found = []
    for operator in forward:
        products = operator.family in ("gemm", "grouped_gemm")
        flop = _share(_BACKWARD_FLOP.get(operator.family, (0.0, 0.0)), part)
        moved = _share(_BACKWARD_BYTES.get(operator.component, _bytes_ratio(operator.family)), part)
        weights = _share((1.0, gradient_traffic), part) if products else 0.0
        if flop or moved:
            found.append(
                replace(
                    operator,
                    flop=operator.flop * flop,
                    token_bytes=operator.token_bytes * moved,
                    weight_bytes=operator.weight_bytes * weights,
                    layers=operator.layers * (2 if products and part == "all" else 1),
                )
            )
    return tuple(found)


def _bytes_ratio(family: Family) -> tuple[float, float]:
    if family in ("gemm", "grouped_gemm"):
        return (1.0, 1.0)
    return (2.5, 0.0) if family == "attention_prefill" else (1.8, 0.0)


def _share(ratios: tuple[float, float], part: Part) -> float:
    return {"all": ratios[0] + ratios[1], "input": ratios[0], "weight": ratios[1]}[part]
