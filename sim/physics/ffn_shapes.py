"""Shapes of feed-forward layers: what a model file says of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Prompt = Literal["all", "window"]
CONFIG: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}
"""How pydantic reads the records of this and the neighbouring rooms; everything else ignores it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeedForward:
    """A feed-forward block that every token runs through."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

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

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

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
