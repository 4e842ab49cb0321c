"""Shapes of feed-forward layers: what a model file says of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sim.physics.layer_group import LayerGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeedForward(LayerGroup):
    """A feed-forward block that every token runs through."""

    kind: Literal["dense"] = "dense"
    intermediate: int
    """Inner width."""
    gated: bool = True
    """Three matrices (SwiGLU and relatives) instead of two (GELU)."""
    bias: bool = False
    """Projections have a bias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureOfExperts(LayerGroup):
    """A feed-forward block split into experts of which each token uses a few."""

    kind: Literal["moe"] = "moe"
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

    @property
    def active_experts(self) -> float:
        """Routed experts that compute for one token, on average [experts]."""
        return float(self.top_k if self.mean_real_experts is None else self.mean_real_experts)
