"""Operators of the backward pass, with the part that may run later kept apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from sim.physics.chip import Family
from sim.physics.work import Operator

Part = Literal["all", "input", "weight"]
# Backward over forward: (gradients of the inputs, gradients of the weights). A matrix product needs one product for
# each. The core recomputes scores and makes three gradients, 5 products for 2 (FlashAttention-2, arXiv 2307.08691).
# Small kernels, quantisation and unfused scores move 1.8, 1.5 and 20/13 times their forward bytes.
_BACKWARD_FLOP = {"gemm": (1.0, 1.0), "grouped_gemm": (1.0, 1.0), "attention_prefill": (2.5, 0.0)}
_BACKWARD_BYTES = {"quantise": (0.75, 0.75), "attention scores": (20 / 13, 0.0), "indexer": (2.0, 0.0)}


def backward_operators(
    forward: Iterable[Operator], *, part: Part = "all", gradient_traffic: float = 4.0
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
    """
    found = []
    for operator in forward:
        products = operator.family in ("gemm", "grouped_gemm")
        flop = _share(_BACKWARD_FLOP.get(operator.family, (0.0, 0.0)), part)
        moved = _share(_BACKWARD_BYTES.get(operator.component, _bytes_ratio(operator.family)), part)
        weights = _share((1.0, gradient_traffic), part) if products else 0.0
        if flop or moved:
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


def _bytes_ratio(family: Family) -> tuple[float, float]:
    if family in ("gemm", "grouped_gemm"):
        return (1.0, 1.0)
    return (2.5, 0.0) if family == "attention_prefill" else (1.8, 0.0)


def _share(ratios: tuple[float, float], part: Part) -> float:
    return {"all": ratios[0] + ratios[1], "input": ratios[0], "weight": ratios[1]}[part]
