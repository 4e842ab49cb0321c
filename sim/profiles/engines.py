"""Schema of the file that turns the engine columns of published serving results into numbers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sim.profiles.fields import Bytes, Document, Ratio, Record, Seconds, Share, Tokens
from sim.profiles.stacks import ServingKernels

Class = str
"""A value of a column, or `any`; `value/family` for one chip family, `value/moe` or `value/dense` for one kind of model,
`value/family/moe` for both; `@YYYY-MM` after any of them for software up to that month."""


class EngineLevels(Record):
    """How far the levels of engines differ at the same description."""

    spread: float
    """Standard deviation of the logarithm of speed between engines, chip families and models."""
    runs_alike: float
    """Calibrate runs that tell the level of one as well as all others do."""
    runs: dict[str, float] = Field(default_factory=dict)
    """Calibrate runs by "engine/family/model"."""


class SoftwarePace(Record):
    """How fast engines become faster, in the months of which anything is known."""

    yearly: Ratio
    """Logarithm of speed a year."""
    first: str
    """First month of the data; older software counts as of this month."""
    last: str
    """Last month."""
    reference: dict[str, str]
    """Mean month of the calibrate runs, by chip family; families that are not listed have no pace."""


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
    software_pace: SoftwarePace | None = None
    """Decoding of mixtures of experts over time."""
    small_kernels: ServingKernels
    """Memory traffic between the matrix products, of all engines."""
    max_batch: dict[Class, Ratio]
    """Sequences per rank the engine admits where the row does not say."""
    pool_batch: dict[Class, Ratio] = Field(default_factory=dict)
    """The same in pools that only decode, where it is not that of engines as installed."""
    requests_sent: dict[str, dict[int, int]] = Field(default_factory=dict)
    """Requests of a saturated run that does not say, by engine and `source_kind`, then by the most tokens of a request."""
    host_layer: dict[Class, Seconds] = Field(default_factory=dict)
    """Host time to launch the kernels of a layer where a decode step is not replayed as one graph; `eager` for runs that
    say so in `overlap`."""
    cache_format: dict[str, str] = Field(default_factory=dict)
    """Number format of the cache where the row does not say and its weights have 8 bits or less, by engine and
    `source_kind`."""
    widen_fp4: tuple[str, ...] = ()
    """Chip families on which engines multiply weights of 4-bit floats with 16-bit activations."""
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
    engine_levels: EngineLevels | None = None
    """How far the levels of engine, chip family and model differ beyond that; left out: not at all."""
