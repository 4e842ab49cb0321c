"""The shape of a language model: everything that can be counted is computed from these fields.

The records are plain and know no file format. They can also be used as field types of a checked input file:
``__pydantic_config__`` is read by pydantic and ignored by everything else.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, get_args

Prompt = Literal["all", "window"]
_CONFIG: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}


class _ByKind:
    """Marks a union whose member is chosen by the field ``kind``: a typo in a file gets one clear message."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> dict[str, Any]:
        choices = {
            kind.__dataclass_fields__["kind"].default: handler.generate_schema(kind)
            for kind in get_args(source)
        }
        return {"type": "tagged-union", "discriminator": "kind", "choices": choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer:
    """Picks the cached entries a query attends to (lightning indexer, block index)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    heads: int
    """Index heads."""
    dim: int
    """Width of an index head and of the one index key per entry."""
    top_k: int
    """Entries (or blocks) a query may attend to."""
    block: int = 1
    """Entries per selected block."""
    local: int = 0
    """Entries attended besides the selected ones, because they are near."""
    key_bytes: float | None = None
    """Stored bytes per index key, scales included; left out: dim times the bytes of the cache."""
    mode: Literal["own", "search", "reuse"] = "own"
    """`own`: keys and scores of its own; `search`: own queries on the keys of an earlier layer; `reuse`: the
    selection of an earlier layer."""
    candidates: int | None = None
    """Entries that `search` scores; left out: all."""

    @property
    def selected(self) -> float:
        """Entries attended per query when the context is long [entries]."""
        return float(self.top_k * self.block + self.local)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedAttention:
    """Multi-head, grouped-query or multi-query attention, with a low-rank query in MFA."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["gqa"] = "gqa"
    layers: int
    """Layers of this kind."""
    heads: int
    """Query heads."""
    kv_heads: int
    """Key-value heads; equal to `heads` in MHA, 1 in MQA and MFA."""
    head_dim: int
    """Width of a head."""
    query_rank: int | None = None
    """Inner width of a low-rank query projection."""
    window: int | None = None
    """Sliding window [tokens]; left out: all earlier tokens."""
    chunk: int | None = None
    """Attention stays inside chunks of this many tokens."""
    output_gate: bool = False
    """A gate as wide as the query multiplies the output."""
    bias: Literal["none", "qkv", "all"] = "none"
    """Which projections have a bias."""
    query_key_norm: Literal["none", "head", "full"] = "none"
    """Normalisation of query and key: shared by the heads, or over the full width."""
    relative_positions: bool = False
    """A projection of relative positions, as wide as the query (Transformer-XL)."""
    sinks: bool = False
    """One learned sink logit per head."""
    indexer: Indexer | None = None
    """Block-sparse selection."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (MLA): one compressed latent per token, shared by all heads."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["mla"] = "mla"
    layers: int
    """Layers of this kind."""
    heads: int
    """Query heads."""
    query_rank: int | None
    """Inner width of the low-rank query projection."""
    kv_rank: int
    """Width of the cached latent."""
    nope_dim: int
    """Width of a head without position."""
    rope_dim: int
    """Width of the rotary (or otherwise uncompressed) key, shared by the heads and cached."""
    value_dim: int
    """Width of a value head."""
    output_gate: bool = False
    """A gate as wide as the output of the heads multiplies it."""
    packed_entry_bytes: float | None = None
    """Bytes per token and layer in the published 8-bit kernel layout; left out: plain elements."""
    indexer: Indexer | None = None
    """Sparse selection (DSA)."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedAttention:
    """A sliding window plus entries that each stand for several tokens (CSA, HCA, CSA2); one key-value head."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["compressed"] = "compressed"
    layers: int
    """Layers of this kind."""
    heads: int
    """Query heads."""
    head_dim: int
    """Width of a head, and of the one cached vector that serves as key and value."""
    query_rank: int
    """Inner width of the low-rank query projection."""
    output_groups: int
    """Groups of heads with an output projection of their own."""
    output_rank: int
    """Width each group is projected to before the common output projection."""
    window: int
    """Sliding window kept in every layer [tokens]."""
    window_entry_bytes: float
    """Bytes of a window entry."""
    ratio: int = 0
    """Tokens per compressed entry; 0: window only."""
    entry_bytes: float = 0.0
    """Bytes of a compressed entry."""
    overlapping: bool = False
    """Each entry is made from twice `ratio` tokens, which doubles the compressor."""
    source: bool = True
    """False: reads the compressed entries of an earlier layer instead of keeping its own."""
    indexer: Indexer | None = None
    """Selection among the compressed entries; left out: all are attended."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAttention:
    """Attention with a recurrent state of fixed size (Lightning, Gated DeltaNet, KDA)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["linear"] = "linear"
    layers: int
    """Layers of this kind."""
    rule: Literal["lightning", "gated-delta", "kda"]
    """Update of the state: decay only, delta rule with one decay per head, or with one per channel."""
    key_heads: int
    """Heads of query and key."""
    value_heads: int
    """Heads of value, output gate and state."""
    key_dim: int
    """Width of a key head."""
    value_dim: int
    """Width of a value head."""
    convolution: int = 0
    """Taps of the short convolution before query, key and value."""
    state_bytes: float = 4.0
    """Bytes per element of the state."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""

    @property
    def state_elements(self) -> float:
        """Elements of the recurrent state of one sequence in one layer [1]."""
        return float(self.value_heads * self.key_dim * self.value_dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeedForward:
    """A feed-forward block that every token runs through."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["dense"] = "dense"
    layers: int
    """Layers of this kind."""
    intermediate: int
    """Inner width."""
    gated: bool = True
    """Three matrices (SwiGLU and relatives) instead of two (GELU)."""
    bias: bool = False
    """Projections have a bias."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureOfExperts:
    """A feed-forward block split into experts of which each token uses a few."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    kind: Literal["moe"] = "moe"
    layers: int
    """Layers of this kind."""
    experts: int
    """Routed experts with weights."""
    top_k: int
    """Experts chosen per token, zero experts included."""
    intermediate: int
    """Inner width of a routed expert."""
    shared_experts: int = 0
    """Experts every token uses."""
    shared_intermediate: int | None = None
    """Inner width of a shared expert; left out: as a routed one."""
    shared_gate: bool = False
    """A learned scalar gate multiplies the shared experts."""
    latent: int | None = None
    """Routed experts work on a projection of this width instead of the hidden one."""
    zero_experts: int = 0
    """Experts that pass the token through and cost nothing."""
    mean_real_experts: float | None = None
    """Mean number of chosen experts that have weights; left out: top_k."""
    gated: bool = True
    """Three matrices per expert instead of two."""
    bias: bool = False
    """Experts and router have biases."""
    routing_groups: int | None = None
    """Groups the experts are divided into for limited routing."""
    routing_limit: int | None = None
    """Groups a token may send to."""
    prompt: Prompt = "all"
    """`window`: in prefill only the last tokens of a prompt run through these layers."""

    @property
    def active_experts(self) -> float:
        """Routed experts that compute for one token, on average [experts]."""
        return float(self.top_k if self.mean_real_experts is None else self.mean_real_experts)


AttentionGroup = Annotated[
    GroupedAttention | LatentAttention | CompressedAttention | LinearAttention, _ByKind()
]
FeedForwardGroup = Annotated[DenseFeedForward | MixtureOfExperts, _ByKind()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafter:
    """Extra layers that predict further tokens: multi-token prediction or a separate draft block."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

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

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

    streams: int
    """Width of the residual stream over the hidden width."""
    single_pass: bool = False
    """One fused pass over the streams per block instead of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engram:
    """Hashed n-gram tables that are looked up, not multiplied."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

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

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

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

    __pydantic_config__: ClassVar[dict[str, Any]] = _CONFIG

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
