"""Schema of the file that turns the software columns of published runs into numbers."""

from __future__ import annotations

from typing import Literal

from sim.profiles.fields import Bytes, Date, Document, Ratio, Record, Seconds, Share

Class = str
"""A value of a column, `any`, `old` or `unstated`; `value/family` for one chip family."""


class SmallKernels(Record):
    """Memory traffic of training between the matrix products."""

    hidden: Ratio
    """Elements moved per token, attention block and unit of hidden width: norms, residuals, rotary positions."""
    inner: Ratio
    """Passes over the inner width of feed-forward blocks: the activation function."""
    routed: Ratio
    """Passes over every routed copy of a token: permute, dispatch buffers, weighted sum."""
    quantise: Bytes
    """Per input element of a product in 8 or 4 bit."""
    scores: Bytes
    """Per attention score where attention is not fused."""
    loss: Bytes
    """Per logit: softmax and loss."""
    backward: Ratio
    """Traffic of the backward pass over that of the forward pass."""
    quantise_backward: Ratio
    """The same for quantising; two formats, one for each product."""
    scores_backward: Ratio
    """The same for unfused scores."""
    norms_and_activation: Share
    """Share of the time of small kernels in norms and activation functions, for selective recompute. No range."""
    repeated_by_ranks: Share
    """Share of it that every tensor rank repeats without sequence parallelism."""


class ServingKernels(Record):
    """Memory traffic of a serving engine between the matrix products."""

    hidden: Ratio
    """Elements moved per token, attention block and unit of hidden width."""
    experts: Ratio
    """Factor on that in layers with routed experts."""


class TrainingState(Record):
    """Bytes per parameter in mixed-precision training."""

    weight: Bytes
    """Copy used for compute."""
    gradient: Bytes
    """Accumulated gradient."""
    adamw: Bytes
    """Master copy and two moments."""
    muon: Bytes
    """Master copy and one momentum."""
    reduced: Bytes
    """Gradient on the wire."""
    gathered: Bytes
    """Weight on the wire."""
    newton_schulz: Ratio
    """Iterations per step and matrix under Muon."""


class StatedAt(Record):
    """Sizes for which a recipe states what grows with size."""

    jitter: Ratio
    """Chips of the job."""
    routing: Ratio
    """Experts of a layer on one rank."""


class Eras(Record):
    """Months by which published code is told apart."""

    old_before: Date
    """Code of earlier months has classes of its own: no FlashAttention, little fusion, little overlap."""
    fused_since: Date
    """Code of these months keeps attention scores on chip unless its row says otherwise."""
    pace_from: Date
    """Month from which `pace` counts."""


class StackRules(Document):
    """What training stacks do, by class."""

    tensor_exposed: dict[Class, Share]
    """Share of tensor-parallel traffic that stays visible, by `tp_overlap`."""
    expert_exposed: dict[Class, Share]
    """Share of the expert exchange that stays visible where it is overlapped."""
    expert_overlap: dict[Class, Literal["none", "partial", "full"]]
    """What an empty `ep_overlap` means."""
    data_exposed: dict[Class, Share]
    """Share of gradient and weight traffic that stays visible."""
    jitter: dict[Class, Share]
    """Time lost to stragglers, as a share of the step."""
    attention_speed: dict[Class, Ratio]
    """Speed of the attention core over that of the chip's best kernels, by `stack_class`."""
    stack_speed: dict[Class, Ratio]
    """Speed of everything, by `stack_class`."""
    pace: dict[Class, Ratio]
    """Growth of `stack_speed` per year of `software_date` since 2023, in log; one at the start of 2025. By `stack_class`."""
    small_kernels: dict[Class, Ratio]
    """Memory traffic between the matrix products over that of fused kernels."""
    exchange_slowdown: dict[Class, Ratio]
    """Factor on compute time while an exchange across servers runs beside it."""
    host_floor: dict[Class, Share]
    """Share of the chip's per-layer host time that device graphs leave, by `cuda_graphs`."""
    host_backward: dict[Class, Ratio]
    """Host time of the backward pass of a layer over that of its forward pass."""
    optimizer_traffic: dict[Class, Bytes]
    """Bytes the optimizer moves per parameter of its shard."""
    memory_reserve: dict[Class, Share]
    """Share of the device memory that runtime, collectives and fragmentation take."""
    routing_imbalance: dict[Class, Ratio]
    """Work of the busiest expert rank over the mean, by `routing`."""
    traffic: SmallKernels
    """Small kernels of a stack with fused kernels; `small_kernels` is a factor on `hidden` and `inner`."""
    state: TrainingState
    """What a parameter takes."""
    stated_at: StatedAt
    """Sizes for which jitter and imbalance are stated."""
    eras: Eras | None = None
    """Months by which published code is told apart; left out: those of the shipped table."""
    goodput: dict[Class, Share]
    """Share of the calendar that trains, for totals."""
    usual_run: Seconds
    """Length of a run for a goodput whose length is not given."""
    open_layout: Ratio
    """Most that layouts which a row leaves open may add to the standard deviation of log time."""
    booked: Ratio
    """Standard deviation of log(booked / computed) chip-hours or days: ramps of the batch, changes of recipe, idle chips."""
    server_power: Ratio
    """Standard deviation of log(predicted / measured) power of a server at work, besides its inputs."""
    model_error: dict[str, float]
    """Standard deviation of log(predicted / measured) that no listed input explains, by family; `moe` and
    `light` are factors on it."""
