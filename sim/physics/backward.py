"""Operators of the backward pass, with the part that may run later kept apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from sim.physics.chip import Family
from sim.physics.work import NO_TRAFFIC, Array, Operator, Traffic

Part = Literal["all", "input", "weight"]
# Backward over forward: (gradients of the inputs, gradients of the weights). A matrix product needs one product for
# each. The core recomputes scores and makes three gradients, 5 products for 2 (FlashAttention-2, arXiv 2307.08691).
_BACKWARD_FLOP: dict[str, tuple[Array, Array]] = {
    "gemm": (1.0, 1.0),
    "grouped_gemm": (1.0, 1.0),
    "attention_prefill": (2.5, 0.0),
}


def backward_operators(
    forward: Iterable[Operator],
    *,
    part: Part = "all",
    gradient_traffic: float = 4.0,
    traffic: Traffic = NO_TRAFFIC,
) -> tuple[Operator, ...]:
    """Operators of the backward pass that belongs to a forward pass.

    Parameters
    ----------
    part : {"all", "input", "weight"}
        Zero-bubble schedules run the gradients of inputs and of weights at different times; "all" is their
        sum.
    gradient_traffic : float
        Bytes of gradient accumulator read and written per byte of weight: 4 for 16-bit weights and an fp32
        accumulator.
    traffic : Traffic
        Says how much more the small kernels move than in the forward pass.
    """
    found = []
    for operator in forward:
        products = operator.family in ("gemm", "grouped_gemm")
        flop = _share(_BACKWARD_FLOP.get(operator.family, (0.0, 0.0)), part)
        moved = _share(_bytes_ratio(operator, traffic), part)
        weights = _share((1.0, gradient_traffic), part) if products else 0.0
        if flop or np.any(moved):
            found.append(
                replace(
                    operator,
                    flop=operator.flop * flop,
                    token_bytes=operator.token_bytes * moved,
                    weight_bytes=operator.weight_bytes * weights,
                    layers=operator.layers * (2 if products and part == "all" else 1),
                    # Both products of a backward pass have the outputs of the forward pass as inputs; the one for the
                    # weights sums over all rows, which is never narrow.
                    inputs=operator.outputs * flop,
                    outputs=operator.inputs * _share((1.0, 0.0), part),
                )
            )
    return tuple(found)


def _bytes_ratio(operator: Operator, traffic: Traffic) -> tuple[Array, Array]:
    """Bytes of the backward pass over those of the forward pass, for gradients of inputs and of weights."""
    by_component: dict[str, tuple[Array, Array]] = {
        "quantise": (
            traffic.quantise_backward / 2.0,
            traffic.quantise_backward / 2.0,
        ),  # one format for each product
        "attention scores": (traffic.scores_backward, 0.0),
        "indexer": (2.0, 0.0),
    }
    if operator.component in by_component:
        return by_component[operator.component]
    by_family: dict[Family, tuple[Array, Array]] = {
        "gemm": (1.0, 1.0),
        "grouped_gemm": (1.0, 1.0),
        "attention_prefill": (2.5, 0.0),
    }
    return by_family.get(operator.family, (traffic.backward, 0.0))


def _share(ratios: tuple[Array, Array], part: Part) -> Array:
    return {"all": ratios[0] + ratios[1], "input": ratios[0], "weight": ratios[1]}[part]
