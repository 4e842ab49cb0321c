"""Model FLOPs, and the utilisation that is quoted from them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.attention import core_work
from sim.physics.attention_shapes import LinearAttention
from sim.physics.operators import Precisions, forward_operators

Array = NDArray[np.float64] | float


@lru_cache(maxsize=1024)
def model_flop_per_token(
    architecture: Architecture, sequence: float, *, causal: bool, mtp: bool = True
) -> float:
    """Floating-point operations that training one token takes by the model's own arithmetic [FLOP/token].

    Parameters
    ----------
    architecture : Architecture
        The model.
    sequence : float
        Tokens per sequence.
    causal : bool
        True counts the attention core below the diagonal only, False the whole square. Publications do
        either.
    mtp : bool
        Count multi-token-prediction layers that are trained.

    Notes
    -----
    Forward + backward = 3 x forward: 6 per active weight, output head included and input embedding not, plus
    the attention core; recomputation does not count.
    """
    operators = forward_operators(
        architecture,
        phase="training",
        sequences=1.0,
        new=sequence,
        past=0.0,
        precisions=Precisions(),
        mtp=mtp,
    )
    flop = sum(float(operator.flop) for operator in operators)
    if not causal:
        flop += _upper_half(architecture, sequence)
    return 3.0 * flop / sequence


def _upper_half(architecture: Architecture, sequence: float) -> float:
    """Attention above the diagonal, forward [FLOP]."""
    extra = 0.0
    for group in architecture.attention:
        if not isinstance(group, LinearAttention):
            whole, half = (
                core_work(group, 0.0, sequence, cache_bytes=2.0, decode=False, causal=mask)
                for mask in (False, True)
            )
            extra += group.layers * float(whole.flop - half.flop)
    return extra


@lru_cache(maxsize=1024)
def head_flop_per_token(architecture: Architecture) -> float:
    """Forward and backward of the output head [FLOP/token]."""
    return 6.0 * architecture.vocab * architecture.hidden


def utilisation(flop_per_token: Array, tokens: Array, step_time_s: Array, chips: Array, peak: Array) -> Array:
    """Model FLOPs utilisation (MFU): model arithmetic of a step over what the chips could have done [1].

    Examples
    --------
    >>> utilisation(1e12, 1e6, 10.0, 1000, 200e12)
    0.5
    """
    return flop_per_token * tokens / (step_time_s * chips * peak)
