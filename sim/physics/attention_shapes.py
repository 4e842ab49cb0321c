"""Shapes of attention layers: what a model file says of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sim.physics.layer_group import CONFIG, LayerGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer:
    """Picks the cached entries a query attends to (lightning indexer, block index)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

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
class GroupedAttention(LayerGroup):
    """Multi-head, grouped-query or multi-query attention, with a low-rank query in MFA."""

    kind: Literal["gqa"] = "gqa"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention(LayerGroup):
    """Multi-head latent attention (MLA): one compressed latent per token, shared by all heads."""

    kind: Literal["mla"] = "mla"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressedAttention(LayerGroup):
    """A sliding window plus entries that each stand for several tokens (CSA, HCA, CSA2); one key-value head."""

    kind: Literal["compressed"] = "compressed"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAttention(LayerGroup):
    """Attention with a recurrent state of fixed size (Lightning, Gated DeltaNet, KDA)."""

    kind: Literal["linear"] = "linear"
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

    @property
    def state_elements(self) -> float:
        """Elements of the recurrent state of one sequence in one layer [1]."""
        return float(self.value_heads * self.key_dim * self.value_dim)
