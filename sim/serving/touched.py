"""Experts whose weights a pass reads when some are more popular than others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.operators import Operator, experts_touched
from sim.physics.work import ROUTED
from sim.serving.job import ServingJob, UnitShape

Array = NDArray[np.float64] | float
# Popularity of experts at which the share touched is computed: within 2 % of the mean over a lognormal with a deviation
# of 0.8, for 1 to 8,192 tokens.
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(8)
NODE_WEIGHTS /= NODE_WEIGHTS.sum()


def as_routed(
    job: ServingJob, shape: UnitShape, operators: tuple[Operator, ...], tokens: Array
) -> tuple[Operator, ...]:
    """The same operators with the experts that ``tokens`` tokens of an instance touch under uneven routing."""
    moe = job.architecture.moe
    if moe is None or not np.any(np.asarray(job.engine.expert_popularity) > 0):
        return operators
    fewer = touched_by_few(tokens, moe.active_experts, moe.experts, job.engine.expert_popularity)
    # Of the experts on a rank the most popular is read in any case, and the busiest rank sets the time.
    held = np.maximum(moe.experts / shape.expert_ranks, 1.0)
    share = fewer + (1.0 - fewer) / held
    return tuple(
        replace(one, weight_bytes=one.weight_bytes * share, rows=one.rows / share)
        if one.component == ROUTED
        else one
        for one in operators
    )


def touched_by_few(tokens: Array, top_k: float, experts: float, popularity: Array) -> Array:
    """Experts touched under lognormal popularity, over those under uniform routing [1].

    Notes
    -----
    An expert of popularity x (mean 1) is missed by T tokens with (1 - x k/E)^T; Gauss-Hermite quadrature over lognormal x.
    """
    nodes = NODES.reshape(-1, *([1] * max(np.ndim(tokens), np.ndim(popularity))))
    weight = np.exp(popularity * nodes - np.square(popularity) / 2)
    missed = np.log1p(-np.minimum(weight * top_k / experts, 1.0 - 1e-9))
    found = np.tensordot(NODE_WEIGHTS, -np.expm1(tokens * missed), 1)
    return found / np.maximum(experts_touched(tokens, top_k, experts), 1e-300)
