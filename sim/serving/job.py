"""What is served, to whom, with what promise, by which engine, on which shape of a deployment unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.physics.operators import NO_TRAFFIC, Precisions
from sim.physics.operators import Traffic as KernelTraffic
from sim.serving.pattern import STEADY, Pattern
from sim.serving.traffic import LengthDistribution

Array = NDArray[np.float64] | float
Pools = Literal["disaggregated", "aggregated"]
Interleave = Literal["mixed", "separate"]

# Stored bytes per weight. Four-bit formats carry a scale of one byte: fp4 (NVFP4) per 16 weights, int4 per 32.
STORED_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5625, "int4": 0.53, "w4a8": 0.53}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one kind of users; fields may be arrays of draws.

    Attributes
    ----------
    prompt, output : LengthDistribution
        Tokens in and out, drawn independently.
    prefix_hit : Array
        Share of prompt tokens found in the prefix cache [1].
    burstiness : Array
        Coefficient of variation of the time between arrivals; 1 = Poisson [1].
    pattern : Pattern
        Swing of the rate. Capacities are those at its peak.
    """

    prompt: LengthDistribution
    output: LengthDistribution
    prefix_hit: Array = 0.0
    burstiness: Array = 1.0
    pattern: Pattern = STEADY

    @property
    def context(self) -> Array:
        """Mean context over decode steps [token]: long answers stay longer, E[P] + E[O^2] / (2 E[O])."""
        return self.prompt.mean + self.output.mean_square / (2 * self.output.mean)


@dataclass(frozen=True, slots=True)
class Targets:
    """Latency promised to a share ``percentile`` of the requests."""

    ttft_s: Array
    tpot_s: Array
    percentile: float = 0.9


@dataclass(frozen=True, slots=True)
class Engine:
    """What the serving software does; numbers may be arrays of draws. The defaults are an engine that costs nothing.

    Attributes
    ----------
    overlap_hidden : Array
        Share of the shorter of compute and expert exchange that two-batch overlap hides; 0 = runs serially
        [1].
    expert_imbalance : Array
        Work and traffic of the busiest expert rank over the mean, where ranks hold whole experts [1].
    expert_copies : Array
        Further copies of experts that balance their load, over the experts; where ranks hold whole experts [1].
    expert_popularity : Array
        Standard deviation of the logarithm of how often experts are chosen: few tokens then touch fewer experts;
        0 = all alike [1].
    step_overhead_s : Array
        Scheduling, sampling and host time per step [s].
    replica_overhead_s : Array
        Further time per step where attention runs data-parallel and the replicas keep in step [s].
    memory_use : Array
        Share of the memory left after weights and buffers that the cache may fill [1].
    buffers_bytes : Array
        Workspace, activations and communication buffers per rank [byte].
    drafts : int
        Tokens drafted per step.
    accepted : Array
        Tokens emitted per step and sequence, the certain one included [token].
    draft_rereads : Array
        Share of the cache read again for each draft (0 = one read serves all positions) [1].
    draft_cost : Array
        Time of drafting a token over that of one layer and the output head [1].
    eager_prefill : Array
        Share of the chip's launch floor per layer that a prefill pass without graphs pays [1].
    prefill_spread : Array
        0: the scheduler starts the prompts of all attention replicas in the same step; 1: whenever they come
        [1].
    sequence_parallel : bool
        Prefill splits norms and other small kernels over the tensor ranks instead of repeating them on each.
    interleave : {"mixed", "separate"}
        Aggregated pools: prompt chunks ride in decode steps, or get passes of their own.
    max_batch : Array
        Most sequences per rank that the engine admits [sequence].
    chunk_tokens : Array
        Most prompt tokens per rank and pass [token].
    speed, grouped_speed : Array
        Speed of everything over that of the engine the chip's kernels were measured in, and of the expert products over
        the chip's best kernels [1].
    outside_s : Array
        Time to first token that is neither queue nor model: client, tokeniser, scheduler [s].
    routed : Array
        Teams of ranks behind one router: their prompts wait in one queue.
    host_bandwidth : Array
        Rate at which a rank reads look-up tables from host memory [byte/s]; inf: they lie in device memory.
    small_kernels : sim.physics.work.Traffic
        Memory traffic of norms, activation functions and other small kernels.
    """

    overlap_hidden: Array = 0.0
    expert_imbalance: Array = 1.0
    expert_copies: Array = 0.0
    expert_popularity: Array = 0.0
    step_overhead_s: Array = 0.0
    replica_overhead_s: Array = 0.0
    memory_use: Array = 1.0
    buffers_bytes: Array = 0.0
    drafts: int = 0
    accepted: Array = 1.0
    draft_rereads: Array = 0.0
    draft_cost: Array = 1.0
    eager_prefill: Array = 1.0
    prefill_spread: Array = 0.0
    sequence_parallel: bool = False
    interleave: Interleave = "mixed"
    max_batch: Array = np.inf
    chunk_tokens: Array = np.inf
    speed: Array = 1.0
    grouped_speed: Array = 1.0
    outside_s: Array = 0.0
    routed: Array = 1.0
    host_bandwidth: Array = np.inf
    small_kernels: KernelTraffic = NO_TRAFFIC


@dataclass(frozen=True, slots=True)
class ServingJob:
    """A model served to users with a promise.

    Attributes
    ----------
    utilisation : Array
        Mean over peak load of a fleet sized for its peak, times time in service [1]; used for cost, not for
        capacity.
    """

    architecture: Architecture
    precisions: Precisions
    traffic: Traffic
    targets: Targets
    engine: Engine = field(default_factory=Engine)
    pools: Pools = "disaggregated"
    utilisation: Array = 1.0


@dataclass(frozen=True, slots=True)
class UnitShape:
    """Ranks of one engine instance; fields broadcast (shapes lead, draws last).

    Attributes
    ----------
    tp : Array
        Ranks that share the attention of a sequence.
    dp : Array
        Attention replicas. The experts of all tp x dp ranks form one group.
    ep : Array
        Ranks over which whole experts are spread; each expert is cut into ranks / ep parts. 0: over all ranks where
        attention is data-parallel, else every expert is cut over the tensor ranks.
    """

    tp: Array = 1.0
    dp: Array = 1.0
    ep: Array = 0.0

    @property
    def ranks(self) -> Array:
        """Ranks of the instance."""
        return np.multiply(self.tp, self.dp)

    @property
    def expert_ranks(self) -> Array:
        """Ranks that hold different experts."""
        usual = np.where(np.asarray(self.dp) > 1, self.ranks, 1.0)
        return np.where(np.asarray(self.ep) > 0, self.ep, usual)


def serving_precisions(
    chip: Chip, choice: str = "best", kv_bytes: float = 2.0, released_experts: str = ""
) -> Precisions:
    """Number formats of a serving job on a chip.

    Parameters
    ----------
    choice : str
        "best" (fp8, else int8, else bf16), or a precision. 4-bit weights on a chip without 4-bit arithmetic
        are computed in the best precision it has.
    kv_bytes : float
        Bytes per cached element where the architecture fixes no layout [byte].
    released_experts : str
        Format of the released routed experts. With "best", 4-bit experts stay 4-bit in memory and are widened on
        their way into the matrix units.

    Raises
    ------
    KeyError
        When the chip runs none of the candidates.
    """
    chosen = chip.fastest("fp8", "int8", "bf16") if choice == "best" else choice
    arithmetic = (
        chip.fastest(chosen, "fp8", "int8", "bf16") if chosen in ("fp4", "int4") else chip.fastest(chosen)
    )
    narrow = 2.0 if chosen in ("bf16", "fp16") else 1.0
    kept = released_experts if choice == "best" and released_experts in ("fp4", "int4") else chosen
    return Precisions(
        linear=arithmetic,
        expert=arithmetic,
        attention="bf16" if "bf16" in chip.matrix_peak else chip.fastest("fp16"),
        weight_bytes=narrow if chosen in ("fp4", "int4") else STORED_BYTES[chosen],
        expert_weight_bytes=STORED_BYTES[kept],
        kv_bytes=kv_bytes,
        activation_bytes=2.0,
        dispatch_bytes=narrow,
        combine_bytes=2.0,
    )


def as_ranks(chip: Chip, network: Network, ranks_per_chip: int) -> tuple[Chip, Network]:
    """The chip and network as one of its ranks sees them, where software addresses the dies of a package one
    by one."""
    if ranks_per_chip == 1:
        return chip, network
    share = 1.0 / ranks_per_chip

    def scaled(table: Mapping[str, Array]) -> dict[str, Array]:
        return {key: value * share for key, value in table.items()}

    rank = replace(
        chip,
        matrix_peak=scaled(chip.matrix_peak),
        vector_peak=scaled(chip.vector_peak),
        memory_bytes=chip.memory_bytes * share,
        memory_bandwidth=chip.memory_bandwidth * share,
        idle_power_w=chip.idle_power_w * share,
        busy_power_w=chip.busy_power_w * share,
    )
    tiers = tuple(
        replace(tier, size=tier.size * ranks_per_chip, bandwidth=tier.bandwidth * share)
        for tier in network.tiers
    )
    return rank, Network(tiers)
