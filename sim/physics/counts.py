"""What a model weighs and what a token costs: parameters, linear FLOPs, weight bytes, images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sim.physics.architecture import Architecture, VisionEncoder
from sim.physics.forward import stored_width
from sim.physics.weights import Matrices, drafter_matrices, layer_matrices
from sim.physics.work import ROUTED, SIXTEEN_BIT, Precisions


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Parameters of a model.

    Attributes
    ----------
    total : float
        The model without draft layers, lookup tables and vision encoder [parameter].
    active : float
        Used per token, with the output head and without the input embedding [parameter].
    active_with_embeddings, active_without_embeddings : float
        The two other conventions in use: both embeddings counted, neither counted.
    active_prefill : float
        Used per prompt token: without the layers that prompts skip, and then without the head; else as ``active``.
    by_component, active_by_component : mapping of str to float
        The same, split. "norms" holds normalisations, learned positions and similar vectors.
    mtp, engram, vision : float
        What comes on top of ``total``: draft layers, n-gram tables, vision encoder.
    """

    total: float
    active: float
    active_with_embeddings: float
    active_without_embeddings: float
    active_prefill: float
    by_component: Mapping[str, float]
    active_by_component: Mapping[str, float]
    mtp: float
    engram: float
    vision: float


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """Stored weights by where they live [byte].

    Attributes
    ----------
    experts : float
        Routed experts, which expert parallelism divides.
    other : float
        Everything else of the model: attention, dense and shared blocks, router, norms.
    embeddings : float
        Input embedding and output head, on the first and last pipeline stage.
    mtp_experts, mtp_other : float
        Draft layers.
    engram : float
        Lookup tables, which may live in host memory.
    vision : float
        Vision encoder.
    """

    experts: float
    other: float
    embeddings: float
    mtp_experts: float
    mtp_other: float
    engram: float
    vision: float

    @property
    def model(self) -> float:
        """All that device memory must hold without draft layers, tables and vision encoder [byte]."""
        return self.experts + self.other + self.embeddings


def _stored(part: Matrices) -> float:
    return part.copies * part.layers * (part.weights + part.vectors)


def _norms(architecture: Architecture) -> float:
    per_norm = architecture.hidden * (2 if architecture.norm_bias else 1)
    norms = architecture.norms_per_layer * architecture.layers * (2 if architecture.shortcut_moe else 1) + 1
    return float(norms * per_norm + architecture.positions * architecture.hidden)


def _collect(parts: tuple[Matrices, ...], amount: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in parts:
        value = (
            _stored(part) if amount == "stored" else part.uses * part.layers * (part.weights + part.vectors)
        )
        found[part.component] = found.get(part.component, 0.0) + value
    return found


def parameter_counts(architecture: Architecture) -> ParameterCounts:
    """Total and active parameters, by component and by embedding convention.

    Notes
    -----
    Exact sums over the matrices of :mod:`sim.physics.weights`. Publications disagree on whether the input
    embedding and the output head count as active; all three conventions are given.
    """
    embedding = float(architecture.vocab * architecture.hidden)
    parts, norms = layer_matrices(architecture), _norms(architecture)
    stored = {"embedding": embedding, **_collect(parts, "stored"), "norms": norms}
    if not architecture.tie_embeddings:
        stored["logits"] = embedding
    active = {**_collect(parts, "used"), "logits": embedding}
    used = sum(active.values())
    prompt = sum(part.uses * part.layers * part.weights for part in parts if part.prompt == "all")
    both = used if architecture.tie_embeddings else used + embedding
    return ParameterCounts(
        total=sum(stored.values()),
        active=used,
        active_with_embeddings=both,
        active_without_embeddings=used - embedding,
        active_prefill=used if not architecture.prompt_replay else prompt,
        by_component=stored,
        active_by_component=active,
        mtp=sum(_stored(part) for part in drafter_matrices(architecture)),
        engram=_engram_elements(architecture),
        vision=vision_parameters(architecture.vision, architecture.hidden) if architecture.vision else 0.0,
    )


def _engram_elements(architecture: Architecture) -> float:
    return float(sum(architecture.engram.rows) * architecture.engram.row_dim) if architecture.engram else 0.0


def linear_flop_per_token(architecture: Architecture, *, prompt: bool = False) -> dict[str, float]:
    """Forward FLOPs of the matrix products of one token, by component [FLOP].

    Parameters
    ----------
    prompt : bool
        True: a prompt token in prefill, which skips the layers marked ``prompt: window`` and needs no logits.

    Notes
    -----
    Multiply-add = 2 FLOP; the attention core depends on context and comes on top
    (:mod:`sim.physics.attention`). Backward is twice the forward (Kaplan et al., arXiv 2001.08361).
    """
    found: dict[str, float] = {}
    for part in layer_matrices(architecture):
        if prompt and part.prompt != "all":
            continue
        found[part.component] = found.get(part.component, 0.0) + 2.0 * part.uses * part.layers * part.weights
    if not prompt:
        found["logits"] = 2.0 * architecture.vocab * architecture.hidden
    return found


def weight_bytes(architecture: Architecture, precisions: Precisions) -> WeightBytes:
    """Stored weights, routed experts apart [byte]; embeddings, router and norms stay in 16 bit."""
    wide = max(SIXTEEN_BIT, precisions.weight_bytes)
    experts, other = _split_bytes(layer_matrices(architecture), precisions)
    mtp_experts, mtp_other = _split_bytes(drafter_matrices(architecture), precisions)
    tables = 1 if architecture.tie_embeddings else 2
    engram = architecture.engram
    vision = vision_parameters(architecture.vision, architecture.hidden) if architecture.vision else 0.0
    return WeightBytes(
        experts=experts,
        other=other + _norms(architecture) * wide,
        embeddings=tables * architecture.vocab * architecture.hidden * wide,
        mtp_experts=mtp_experts,
        mtp_other=mtp_other,
        engram=sum(engram.rows) * engram.row_bytes if engram else 0.0,
        vision=vision * SIXTEEN_BIT,
    )


def _split_bytes(parts: tuple[Matrices, ...], precisions: Precisions) -> tuple[float, float]:
    """Bytes of routed experts and of the rest."""
    experts = other = 0.0
    for part in parts:
        if part.component == ROUTED:
            experts += _stored(part) * precisions.expert_weight_bytes
        else:
            other += _stored(part) * stored_width(part, precisions)
    return experts, other


def vision_parameters(encoder: VisionEncoder, hidden: int) -> float:
    """Parameters of a vision encoder with its patch embedding and the two-matrix projector [parameter]."""
    return (
        encoder.layers * _vision_layer(encoder)
        + 3 * encoder.patch**2 * encoder.hidden
        + _projector(encoder, hidden)
    )


def _vision_layer(encoder: VisionEncoder) -> float:
    wide = encoder.attention_width or encoder.hidden
    return float(
        4 * encoder.hidden * wide + (3 if encoder.gated else 2) * encoder.hidden * encoder.intermediate
    )


def _projector(encoder: VisionEncoder, hidden: int) -> float:
    merged = encoder.hidden * encoder.merge**2
    return float(merged * merged + merged * hidden)


@dataclass(frozen=True, slots=True)
class ImageCost:
    """What one image costs.

    Attributes
    ----------
    tokens : float
        Language-model tokens it becomes [token].
    patches : float
        Patches the encoder sees [patch].
    flop : float
        Work of the encoder and projector [FLOP].
    """

    tokens: float
    patches: float
    flop: float


def image_cost(encoder: VisionEncoder, hidden: int, width: int, height: int) -> ImageCost:
    """Tokens and encoder FLOPs of an image of ``width`` x ``height`` pixels.

    Notes
    -----
    Sides are rounded up to whole tokens. Encoder FLOPs = 2 x parameters per patch + attention, 4 x width for
    each pair of patches.
    """
    side = encoder.patch * encoder.merge
    tokens = float(-(-width // side) * -(-height // side))
    tokens = min(tokens, float(encoder.max_image_tokens or tokens))
    patches = tokens * encoder.merge**2
    wide = encoder.attention_width or encoder.hidden
    windowed = encoder.layers - encoder.full_layers if encoder.window_patches else 0
    seen = windowed * min(patches, float(encoder.window_patches or 0)) + (encoder.layers - windowed) * patches
    linear = 2 * patches * (encoder.layers * _vision_layer(encoder) + 3 * encoder.patch**2 * encoder.hidden)
    return ImageCost(
        tokens, patches, linear + 4 * wide * patches * seen + 2 * tokens * _projector(encoder, hidden)
    )
