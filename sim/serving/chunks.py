"""Prompts cut into the tokens that one step reads of each."""

from __future__ import annotations

from sim.serving.lines import Line
from sim.serving.live import LiveRequest
from sim.serving.steps import StepCost

Chunks = list[tuple[LiveRequest, int]]


def cut_chunks(cost: StepCost, line: Line, budget: int) -> tuple[Chunks, int, float, float]:
    """Fill one step with prompt tokens, in the order of the line.

    Returns
    -------
    chunks, steps, first_s, ramp_s
        Who is read and how much, how many steps look the same, time that the first adds, and its growth per step [s].
    """
    head, budget = line[0], max(budget, 1)
    if head.prefill_left > budget:
        extra = cost.prefill_base_s + cost.chunk_s(budget, head.prefilled)
        return (
            [(head, budget)],
            (head.prefill_left - 1) // budget,
            extra,
            cost.prefill_pair_s * budget * budget,
        )
    extra, chunks = cost.prefill_base_s, []
    for sequence in line:
        tokens = min(sequence.prefill_left, budget)
        chunks.append((sequence, tokens))
        extra += cost.chunk_s(tokens, sequence.prefilled)
        budget -= tokens
        if budget == 0:
            break
    return chunks, 1, extra, 0.0
