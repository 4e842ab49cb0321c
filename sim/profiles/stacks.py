"""Schema of the file that turns the software columns of published runs into numbers."""

from __future__ import annotations

from typing import Literal

from sim.profiles.fields import Bytes, Document, Ratio, Share

Class = str
"""A value of a column, `any`, `old` or `unstated`; `value/family` for one chip family."""


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
    goodput: dict[Class, Share]
    """Share of the calendar that trains, for totals."""
    model_error: dict[str, float]
    """Standard deviation of log(predicted / measured) that no listed input explains, by family; `moe` and
    `light` are factors on it."""
