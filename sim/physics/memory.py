"""What a chip must hold while it trains: weights, gradients, optimizer state, activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import (
    CompressedAttention,
    GroupedAttention,
    LatentAttention,
    LinearAttention,
)
from sim.physics.ffn_shapes import MixtureOfExperts
from sim.physics.weights import drafter_matrices, layer_matrices

Array = NDArray[np.float64] | float
# Softmax input and output in 16 bit, dropout mask (arXiv 2205.05198, section 4.1).
SCORE_BYTES = 2.0 + 2.0 + 1.0
LOGIT_BYTES = 2.0 + 4.0  # a 16-bit logit and the FP32 copy that the loss turns into its gradient


@dataclass(frozen=True, slots=True)
class StateBytes:
    """Bytes kept per parameter in mixed-precision training.

    Attributes
    ----------
    weight, gradient : float
        Copy used for compute, and accumulated gradient [byte].
    optimizer : float
        Master copy and moments [byte]: 12 for AdamW in FP32 (arXiv 1910.02054, section 3.1), 8 for Muon,
        which keeps one momentum instead of two.
    """

    weight: float
    gradient: float
    optimizer: float


@dataclass(frozen=True, slots=True)
class Recompute:
    """Shares of the forward pass that the backward pass repeats instead of reading from memory.

    Attributes
    ----------
    name : str
        For people.
    layers : float
        Layers of which only the input is kept [1]; the shares below hold for the others.
    core : float
        Attention core, with its score matrix where it is not fused.
    latent_up : float
        Up-projections of MLA: queries, keys and values from their latents.
    projections : float
        All attention projections.
    ffn : float
        Dense feed-forward blocks and shared experts.
    experts : float
        Routed experts and their exchange.
    elementwise : float
        Norms and activation functions.
    """

    name: str
    layers: float = 0.0
    core: float = 0.0
    latent_up: float = 0.0
    projections: float = 0.0
    ffn: float = 0.0
    experts: float = 0.0
    elementwise: float = 0.0

    def share(self, part: str) -> float:
        """Share of a part over all layers [1]."""
        return self.layers + (1.0 - self.layers) * float(getattr(self, part))


NO_RECOMPUTE = Recompute("none")
SELECTIVE = Recompute("selective", core=0.0, latent_up=1.0, elementwise=1.0)
"""Norms, activation functions, MLA up-projections, as DeepSeek-V3 (arXiv 2412.19437, section 3.2.3)."""
CORE_ONLY = Recompute("selective:core", core=1.0)
"""The attention core alone (arXiv 2205.05198, section 5)."""
FULL = Recompute("full", layers=1.0)
STANDARD = (NO_RECOMPUTE, SELECTIVE, FULL)


@dataclass(frozen=True, slots=True)
class SavedBytes:
    """Activation bytes of one layer per token, kept from forward to backward.

    ``wide`` parts are as wide as the hidden vector and are split over tensor ranks only under sequence
    parallelism; ``split`` parts always are.

    Attributes
    ----------
    wide, split : float
        With the recompute policy applied [byte/token].
    working : float
        Of one layer in full, needed while it is computed anew [byte/token].
    """

    wide: float
    split: float
    working: float


def saved_bytes(
    architecture: Architecture,
    sequence: float,
    recompute: Recompute,
    *,
    element: float = 2.0,
    gemm_input: float = 2.0,
    fused_attention: bool = True,
) -> tuple[SavedBytes, SavedBytes]:
    """Activations kept per token in a dense layer and in a layer with experts.

    Parameters
    ----------
    architecture : Architecture
        The model; kinds of attention are averaged over its layers.
    sequence : float
        Tokens per sequence; matters only for unfused attention, which keeps its scores.
    recompute : Recompute
        What is dropped.
    element, gemm_input : float
        Bytes per element in general, and of tensors kept only as input of a matrix product (1 under FP8).
    fused_attention : bool
        False: softmax input, output and mask are kept.

    Returns
    -------
    (dense, moe) : tuple of SavedBytes
        An architecture without one kind gets zeros for its feed-forward part.

    Notes
    -----
    Counted tensor by tensor as in arXiv 2205.05198, section 4, for pre-norm blocks without dropout: block
    input and second residual, two norm outputs, queries, keys, values, attention output; gate, up and their
    product. Per routed copy: the permuted input and the expert's three inner tensors.
    """
    h = float(architecture.hidden)
    residual = architecture.residual_width * element
    attention_split, latent = _attention_saved(architecture, element, gemm_input)
    scores = 0.0 if fused_attention else SCORE_BYTES * _mean_heads(architecture) * sequence
    keep = {part: 1.0 - recompute.share(part) for part in _PARTS}
    norms = 2.0 * h * gemm_input
    wide = residual + (residual + norms * keep["elementwise"]) * (1.0 - recompute.layers)
    attention = (
        attention_split * keep["projections"]
        + latent * min(keep["latent_up"], keep["projections"])
        + scores * keep["core"] * keep["projections"]
    )
    full_attention = attention_split + latent + scores
    # Where the activation function is computed anew, its inputs may be kept in the width of GEMM inputs.
    inner_width = gemm_input if keep["elementwise"] == 0.0 else element
    layers = []
    for inner, product, copies in (
        _dense_saved(architecture, inner_width, gemm_input),
        _moe_saved(architecture, inner_width, gemm_input),
    ):
        ffn = inner * keep["ffn"] + product * min(keep["elementwise"], keep["ffn"])
        routed = copies[0] * keep["experts"] + copies[1] * min(keep["elementwise"], keep["experts"])
        everything = 2.0 * residual + norms + full_attention + inner + product + sum(copies)
        layers.append(SavedBytes(wide, attention + ffn + routed, everything))
    return layers[0], layers[1]


_PARTS = ("core", "latent_up", "projections", "ffn", "experts", "elementwise")


def _mean_heads(architecture: Architecture) -> float:
    heads = sum(g.layers * getattr(g, "heads", getattr(g, "value_heads", 0)) for g in architecture.attention)
    return heads / architecture.layers


def _attention_saved(architecture: Architecture, element: float, gemm_input: float) -> tuple[float, float]:
    """Mean over layers of what attention keeps: all that MLA cannot rebuild from latents, and what it can."""
    plain = latent = 0.0
    for group in architecture.attention:
        if isinstance(group, GroupedAttention):
            width = group.heads * group.head_dim
            plain += group.layers * (
                (width + 2 * group.kv_heads * group.head_dim) * element + width * gemm_input
            )
        elif isinstance(group, LatentAttention):
            out = group.heads * group.value_dim
            rank = (group.query_rank or 0) + group.kv_rank + group.rope_dim
            plain += group.layers * (rank * element + out * gemm_input)
            latent += (
                group.layers
                * group.heads
                * (2 * (group.nope_dim + group.rope_dim) + group.value_dim)
                * element
            )
        elif isinstance(group, CompressedAttention):
            width = group.heads * group.head_dim
            plain += group.layers * (
                (group.query_rank + group.head_dim + width) * element + width * gemm_input
            )
        elif isinstance(group, LinearAttention):
            keys, values = group.key_heads * group.key_dim, group.value_heads * group.value_dim
            plain += group.layers * ((2 * keys + 2 * values) * element + values * gemm_input)
    return plain / architecture.layers, latent / architecture.layers


def _dense_saved(
    architecture: Architecture, inner_width: float, gemm_input: float
) -> tuple[float, float, tuple[float, float]]:
    groups = [g for g in architecture.ffn if not isinstance(g, MixtureOfExperts)]
    layers = max(1, sum(g.layers for g in groups))
    inner = sum(g.layers * g.intermediate * (2 if g.gated else 1) for g in groups) / layers * inner_width
    return inner, sum(g.layers * g.intermediate for g in groups) / layers * gemm_input, (0.0, 0.0)


def _moe_saved(
    architecture: Architecture, inner_width: float, gemm_input: float
) -> tuple[float, float, tuple[float, float]]:
    moe = architecture.moe
    if moe is None:
        return 0.0, 0.0, (0.0, 0.0)
    matrices = 2 if moe.gated else 1
    shared = moe.shared_experts * (moe.shared_intermediate or moe.intermediate)
    copies = moe.active_experts
    routed = copies * (architecture.exchange_width * gemm_input + moe.intermediate * matrices * inner_width)
    return (
        shared * matrices * inner_width,
        shared * gemm_input,
        (routed, copies * moe.intermediate * gemm_input),
    )


@dataclass(frozen=True, slots=True)
class BlockParameters:
    """Parameters of one block: outside and inside its routed experts [1]."""

    shared: float = 0.0
    expert: float = 0.0


def block_parameters(architecture: Architecture) -> dict[str, BlockParameters]:
    """Parameters of one dense layer, one layer with experts, the embedding, the output head and one MTP
    module.

    Kinds of attention are averaged over the layers; n-gram tables stay in host memory and are left out.
    """
    moe_layers = architecture.moe_layers
    dense_layers = architecture.layers - moe_layers
    common = dense = routed = beside = 0.0
    for part in layer_matrices(architecture):
        stored = part.copies * part.layers * (part.weights + part.vectors)
        if part.component == "routed experts":
            routed += stored
        elif part.component in ("router", "shared experts", "latent projections"):
            beside += stored
        elif part.component == "dense ffn" and not architecture.shortcut_moe:
            dense += stored
        else:
            common += stored
    every = common / architecture.layers
    table = float(architecture.vocab * architecture.hidden)
    draft = [
        (p.component == "routed experts", p.copies * p.layers * p.weights)
        for p in drafter_matrices(architecture)
    ]
    modules = architecture.mtp.modules if architecture.mtp else 1
    return {
        "dense": BlockParameters(every + dense / max(1, dense_layers)),
        "moe": BlockParameters(every + beside / max(1, moe_layers), routed / max(1, moe_layers)),
        "embedding": BlockParameters(table),
        "logits": BlockParameters(table),
        "mtp": BlockParameters(
            sum(stored for expert, stored in draft if not expert) / modules,
            sum(stored for expert, stored in draft if expert) / modules,
        ),
    }


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes on the fullest chip, by what holds them; every entry broadcasts.

    Attributes
    ----------
    weights, gradients, optimizer, activations, logits : array
        [byte].
    """

    weights: NDArray[np.float64]
    gradients: NDArray[np.float64]
    optimizer: NDArray[np.float64]
    activations: NDArray[np.float64]
    logits: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Everything together [byte]."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """By name, in the order in which they are reported."""
        names = ("weights", "gradients", "optimizer", "activations", "logits")
        return {name: getattr(self, name) for name in names}


def state_memory(
    shared: Array, expert: Array, zero: Array, shared_ranks: Array, expert_ranks: Array, state: StateBytes
) -> tuple[Array, Array, Array]:
    """Weights, gradients and optimizer state of one chip [byte].

    Parameters
    ----------
    shared, expert : Array
        Parameters of the chip before ZeRO: outside and inside the routed experts [1].
    zero : Array
        Stage: 0 all on every rank, 1 optimizer sharded, 2 and gradients, 3 and weights (arXiv 1910.02054,
        figure 1).
    shared_ranks, expert_ranks : Array
        Ranks over which each kind is sharded.
    state : StateBytes
        Bytes per parameter.

    Examples
    --------
    The 7.5 B parameters on 64 ranks of the ZeRO paper, figure 1 (2 + 2 + 12 bytes): 120, 31.4, 16.6 and 1.9
    GB.

    >>> stages = np.array([0, 1, 2, 3])
    >>> total = sum(state_memory(7.5e9, 0.0, stages, 64, 64, StateBytes(2.0, 2.0, 12.0)))
    >>> (total / 1e9).round(1).tolist()
    [120.0, 31.4, 16.6, 1.9]
    """
    sharded = shared / shared_ranks + expert / expert_ranks
    whole = shared + expert + 0.0 * sharded
    held = [np.where(np.asarray(zero) >= level, sharded, whole) for level in (3, 2, 1)]
    return held[0] * state.weight, held[1] * state.gradient, held[2] * state.optimizer


def logits_memory(tokens: Array, vocabulary: Array, tensor_ranks: Array) -> Array:
    """Output head at its peak: 16-bit logits and an FP32 copy that the loss turns into gradients [byte]."""
    return tokens * vocabulary * LOGIT_BYTES / tensor_ranks
