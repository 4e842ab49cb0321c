"""The shape of a language model: everything that can be counted is computed from these fields.

The records are plain and know no file format. They can also be used as field types of a checked input file:
``__pydantic_config__`` is read by pydantic and ignored by everything else.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, get_args

from sim.physics.attention_shapes import (
    CompressedAttention,
    GroupedAttention,
    LatentAttention,
    LinearAttention,
)
from sim.physics.ffn_shapes import DenseFeedForward, MixtureOfExperts
from sim.physics.layer_group import CONFIG


class _ByKind:
    """Marks a union whose member is chosen by the field ``kind``: a typo in a file gets one clear message."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> dict[str, Any]:
        choices = {
            kind.__dataclass_fields__["kind"].default: handler.generate_schema(kind)
            for kind in get_args(source)
        }
        return {"type": "tagged-union", "discriminator": "kind", "choices": choices}


AttentionGroup = Annotated[
    GroupedAttention | LatentAttention | CompressedAttention | LinearAttention, _ByKind()
]
FeedForwardGroup = Annotated[DenseFeedForward | MixtureOfExperts, _ByKind()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Extra layers that predict further tokens: multi-token prediction or a separate draft block."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    modules: int
    """Layers, each as the last layer of the model unless said otherwise."""
    attention: AttentionGroup | None = None
    """Its attention (`layers: 1`); left out: as the last attention group."""
    ffn: FeedForwardGroup | None = None
    """Its feed-forward block (`layers: 1`); left out: as the last group."""
    trained_with_model: bool = True
    """False: trained afterwards with the model frozen, so pre-training does not pay for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperConnections:
    """Several residual streams mixed around each block (mHC)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    streams: int
    """Width of the residual stream over the hidden width."""
    single_pass: bool = False
    """One fused pass over the streams per block instead of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engram:
    """Hashed n-gram tables that are looked up, not multiplied."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    rows: tuple[int, ...]
    """Rows of the table of each layer that has one."""
    row_dim: int
    """Elements of a row."""
    row_bytes: float
    """Stored bytes of a row, scales included."""
    rows_per_token: int
    """Rows read per token, all layers, orders and hash heads together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionEncoder:
    """A vision transformer in front of the language model."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    layers: int
    """Transformer layers."""
    hidden: int
    """Hidden width."""
    heads: int
    """Attention heads."""
    intermediate: int
    """Inner width of the feed-forward block."""
    patch: int
    """Side of a patch [pixel]."""
    merge: int
    """Patches along a side that become one token of the language model."""
    gated: bool = False
    """Three feed-forward matrices instead of two."""
    attention_width: int | None = None
    """Heads times head width; left out: hidden."""
    window_patches: int | None = None
    """Patches an inner layer attends to; left out: all."""
    full_layers: int = 0
    """Layers that attend to all patches when the others are windowed."""
    max_image_tokens: int | None = None
    """Most language-model tokens an image becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of one model. Groups need not be contiguous: only how many layers of each kind there are."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    vocab: int
    """Vocabulary, padding included."""
    hidden: int
    """Hidden width."""
    layers: int
    """Transformer layers."""
    attention: tuple[AttentionGroup, ...]
    """Attention of the layers, by kind."""
    ffn: tuple[FeedForwardGroup, ...]
    """Feed-forward blocks of the layers, by kind."""
    tie_embeddings: bool = False
    """Output head and input embedding are one matrix."""
    positions: int = 0
    """Learned position embeddings."""
    norms_per_layer: int = 2
    """Normalisations of the hidden vector per layer."""
    norm_bias: bool = False
    """LayerNorm (scale and shift) instead of RMSNorm."""
    prompt_replay: int = 0
    """Last tokens of a prompt that run through the layers marked `prompt: window`."""
    shortcut_moe: bool = False
    """Each layer has two attention and two dense blocks beside one mixture of experts (ScMoE)."""
    mtp: Drafter | None = None
    """Multi-token prediction or draft layers."""
    hyper_connections: HyperConnections | None = None
    """Several residual streams (mHC)."""
    engram: Engram | None = None
    """n-gram lookup tables."""
    vision: VisionEncoder | None = None
    """Vision encoder."""

    def __post_init__(self) -> None:
        _require_positive(self, "the model")
        for name, groups in (("attention", self.attention), ("ffn", self.ffn)):
            found = sum(group.layers for group in groups)
            expected = self.layers * (_SHORTCUT_BLOCKS[name] if self.shortcut_moe else 1)
            if found != expected:
                raise ValueError(
                    f"the {name} groups have {found} layers together, but `layers` asks for {expected}"
                )
            for index, group in enumerate(groups):
                _require_positive(group, f"{name}[{index}]")
                _require_consistent(group, f"{name}[{index}]")

    @property
    def moe(self) -> MixtureOfExperts | None:
        """The first group of expert layers, or None for a dense model."""
        return next((group for group in self.ffn if isinstance(group, MixtureOfExperts)), None)

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return sum(group.layers for group in self.ffn if isinstance(group, MixtureOfExperts))

    @property
    def exchange_width(self) -> int:
        """Elements of a token that travel to an expert and back; 0 for a dense model."""
        if self.moe is None:
            return 0
        return self.hidden if self.moe.latent is None else self.moe.latent

    @property
    def residual_width(self) -> int:
        """Elements of the residual stream per token, which pipeline stages pass on."""
        return self.hidden * (self.hyper_connections.streams if self.hyper_connections else 1)


_SHORTCUT_BLOCKS = {"attention": 2, "ffn": 3}


def _require_positive(record: Any, name: str) -> None:
    """No number is negative, and those that must be given are not zero."""
    for field in fields(record):
        value = getattr(record, field.name)
        least = 1 if field.default is MISSING else 0
        if isinstance(value, int | float) and value < least:
            raise ValueError(f"{name}: {field.name} is {value}; it must be at least {least}")


def _require_consistent(group: AttentionGroup | FeedForwardGroup, name: str) -> None:
    """Widths that are divided divide evenly, and no more is chosen than there is."""
    if isinstance(group, GroupedAttention) and group.heads % group.kv_heads:
        raise ValueError(f"{name}: {group.heads} heads cannot share {group.kv_heads} kv_heads evenly")
    if isinstance(group, CompressedAttention) and group.heads % group.output_groups:
        raise ValueError(
            f"{name}: {group.heads} heads do not divide into {group.output_groups} output_groups"
        )
    if isinstance(group, MixtureOfExperts) and group.top_k > group.experts + group.zero_experts:
        raise ValueError(f"{name}: top_k {group.top_k} is more than the {group.experts} experts")
