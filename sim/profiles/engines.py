"""Schema of the file that turns the engine columns of published serving results into numbers."""

from __future__ import annotations

from typing import Literal

from sim.profiles.fields import Bytes, Document, Ratio, Seconds, Share, Tokens
from sim.profiles.stacks import ServingKernels

Class = str
"""A value of a column, or `any`; `value/family` for one chip family, `value/moe` for mixtures of experts."""


class EngineRules(Document):
    """What serving engines do, by engine unless said otherwise."""

    overlap_hidden: dict[Class, Share]
    """Share of the shorter of compute and expert exchange that two-batch overlap hides."""
    expert_imbalance: dict[Class, Ratio]
    """Busiest expert rank over the mean, by `expert_balance`."""
    expert_copies: dict[Class, Ratio]
    """Further copies of experts that balance their load, over the experts, by `expert_balance`."""
    expert_popularity: dict[Class, Ratio]
    """Standard deviation of the logarithm of how often experts are chosen, by `expert_balance`."""
    step_overhead: dict[Class, Seconds]
    """Scheduling, sampling and host time per step."""
    replica_overhead: dict[Class, Seconds]
    """Further time per step where attention runs data-parallel."""
    serial_scheduler: Seconds
    """Further time per step where the scheduler does not run ahead (`off_no_overlap_scheduler`)."""
    prefill_spread: dict[Class, Share]
    """0: prompts of all attention replicas start in the same step; 1: whenever they come."""
    interleave: dict[Class, Literal["mixed", "separate"]]
    """Prompt chunks ride in decode steps, or get passes of their own."""
    eager_prefill: dict[Class, Ratio]
    """Share of the chip's launch floor per layer that a prefill pass pays."""
    draft_rereads: dict[Class, Share]
    """Share of the cache read again for each draft."""
    draft_cost: dict[Class, Ratio]
    """Time of drafting a token over that of one layer and the output head."""
    first_token: dict[Class, Seconds]
    """Time of a request outside the model: client, tokeniser, queue hand-over."""
    prompt_delay: dict[Class, Seconds]
    """Time for which the scheduler of a loaded engine holds a prompt back before it is read."""
    length_spread: dict[str, Ratio]
    """Coefficient of variation of the answer lengths, by `source_kind`."""
    grouped_speed: dict[Class, Ratio]
    """Speed of the expert products over that of the chip's best kernels."""
    engine_speed: dict[Class, Ratio]
    """Speed of everything over that of the engine the chip's kernels were measured in."""
    small_kernels: ServingKernels
    """Memory traffic between the matrix products, of all engines."""
    max_batch: dict[Class, Ratio]
    """Sequences per rank the engine admits where the row does not say."""
    chunk: dict[Class, Tokens]
    """Prompt tokens per rank and pass where the row does not say."""
    memory_use: dict[Class, Share]
    """Share of the memory left after weights and buffers that the cache may fill."""
    buffers: dict[Class, Bytes]
    """Workspace and communication buffers per rank."""
    cap_of: dict[Class, Literal["replica", "instance"]]
    """Whether the caps on sequences and prompt tokens that a run states hold for each attention replica or for all."""
    reserve: dict[Class, Literal["full", "mean"]]
    """Whether a request is admitted with room for its whole answer, or grows into it."""
    model_error: dict[str, float]
    """Standard deviation of log(predicted / measured) that no listed input explains, by what is measured; other entries
    are factors on it."""
