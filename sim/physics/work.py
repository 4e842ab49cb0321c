"""Records of work: one kind of kernel, the number formats of a job, the traffic of small kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Family

Array = NDArray[np.float64] | float
Sharding = Literal["tensor", "expert", "none"]
ROUTED = "routed experts"
EIGHT_BIT = ("fp8", "int8", "fp4")  # arithmetic with quantised inputs; fp4 weights meet 8-bit inputs
SIXTEEN_BIT = 2.0  # bytes of what no recipe stores in 8 bit: embeddings, head, router, norms


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of kernel of a forward pass, summed over the layers that contain it.

    Work is that of one attention replica before it is split (for ``sharding="expert"``: of the whole
    expert-parallel group). The layout divides it.

    Attributes
    ----------
    component : str
        What it belongs to, for breakdowns: "attention projections", "attention core", "attention scores",
        "linear attention", "indexer", "dense ffn", "shared experts", "routed experts", "router",
        "latent projections", "hyper connections", "elementwise", "quantise", "embedding", "logits", "engram",
        "mtp".
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
        Largest tensor-parallel degree that divides ``token_bytes``: the key-value heads, or 1 for a latent
        that all heads share and every rank reads whole; inf where nothing limits it.
    inputs, outputs : Array
        Matrix products: elements that enter and leave them, summed over layers and uses [1].
    uncut : Array
        How many of either tensor parallelism leaves whole on every rank: the hidden vector, on the way in and out of a
        block [1].
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
    inputs: Array = 0.0
    outputs: Array = 0.0
    uncut: Array = 0.0


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
    """Memory traffic of the small kernels between the matrix products.

    Norms, residuals, rotary positions, activation functions, permutes. Publications do not state it; values come from
    comparing step times with published runs and belong to the kernels of their time. Zeros: no such kernels.

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
        Bytes per attention score where attention is not fused [byte]: 16-bit scores written, softmax, dropout
        with a one-byte mask, read for the product with the values: 2 + 4 + 5 + 2.
    loss_bytes : float
        Bytes per logit of softmax and loss [byte].
    backward, quantise_backward, scores_backward : float
        Traffic of the backward pass over that of the forward pass: small kernels in general, quantisation, scores [1].
    norms_and_activation : float
        Share of the small-kernel time in norms and activation functions [1].
    repeated_by_ranks : float
        Share of it that every tensor rank repeats without sequence parallelism [1].
    """

    hidden: Array = 0.0
    moe_factor: Array = 1.0
    inner: Array = 0.0
    routed: Array = 0.0
    quantise_bytes: Array = 0.0
    score_bytes: Array = 0.0
    loss_bytes: Array = 0.0
    backward: Array = 1.0
    quantise_backward: Array = 1.0
    scores_backward: Array = 1.0
    norms_and_activation: Array = 0.0
    repeated_by_ranks: Array = 0.0


NO_TRAFFIC = Traffic()
