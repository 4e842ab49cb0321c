"""What is trained, and how the stack does it: plain numbers, scalars or arrays of draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.layout.stages import Depth
from sim.physics.architecture import Architecture
from sim.physics.memory import STANDARD, Recompute, StateBytes
from sim.physics.operators import NO_TRAFFIC, Precisions, Traffic

Array = NDArray[np.float64] | float
Overlap = Literal["none", "partial", "full"]


@dataclass(frozen=True, slots=True)
class Software:
    """What the training stack does.

    Attributes
    ----------
    expert_exposed : Array
        Share of the expert exchange that stays visible where it is overlapped [1].
    tensor_exposed, data_exposed : Array
        Share of tensor-parallel traffic, and of gradient and weight traffic, that always stays visible [1].
    jitter : Array
        Time lost to stragglers, as a share of the step, on ``jitter_chips`` chips [1]; see :meth:`lost_to_jitter`.
    jitter_chips : Array
        Size of the job for which ``jitter`` is stated [chip].
    attention_speed : Array
        Speed of the attention core over that of the chip's best kernels [1].
    exchange_slowdown : Array
        Factor on compute time while an exchange across servers runs beside it, because processors drive it
        [1].
    host_floor : Array
        Share of the chip's per-layer host time that device graphs leave [1].
    host_backward : Array
        Host time of the backward pass of a layer over that of its forward pass [1].
    optimizer_traffic : Array
        Bytes the optimizer moves per parameter of its shard [byte].
    gradient_bytes, gather_bytes : float
        Bytes per parameter in gradient reduction and in weight gathering [byte].
    memory_reserve : Array
        Share of the device memory that runtime, collectives and fragmentation take [1].
    expert_overlap : {"none", "partial", "full"}
        Whether the exchange of one micro-batch hides behind compute of another, behind compute of the same
        layer, or not.
    fused_attention : bool
        False: the score matrix goes through memory.
    sequence_parallel : bool
        Activations between the matrix products are split over tensor ranks.
    """

    expert_exposed: Array
    tensor_exposed: Array
    data_exposed: Array
    jitter: Array
    attention_speed: Array
    exchange_slowdown: Array
    host_floor: Array
    host_backward: Array
    optimizer_traffic: Array
    memory_reserve: Array
    gradient_bytes: Array
    gather_bytes: Array
    jitter_chips: Array
    expert_overlap: Overlap = "full"
    fused_attention: bool = True
    sequence_parallel: bool = True

    @property
    def exchange_exposed(self) -> Array:
        """Share of the exchange that is visible in the steady phase: all of it without overlap, half way if
        partial [1]."""
        partial = {"none": 1.0, "partial": 0.5, "full": 0.0}[self.expert_overlap]
        return partial + (1.0 - partial) * np.asarray(self.expert_exposed)

    def lost_to_jitter(self, chips: Array) -> Array:
        """Share of the step lost to stragglers on a number of chips [1].

        Notes
        -----
        A step waits for the slowest of n chips. The largest of n independent normal delays grows as sqrt(2 ln n)
        (H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed., section 10.5).
        """
        waits = np.log(np.maximum(chips, 1.0)) / np.log(self.jitter_chips)
        return np.minimum(np.asarray(self.jitter) * np.sqrt(waits), 0.99)


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One pre-training run.

    Attributes
    ----------
    architecture : Architecture
        The model.
    tokens : Array
        Tokens of the whole run.
    sequence : int
        Tokens per sequence.
    global_batch : float
        Tokens per optimizer step.
    precisions : Precisions
        Number formats.
    software : Software
        How the stack does it.
    state : StateBytes
        Bytes per parameter of weights, gradients and optimizer.
    mtp : bool
        Train the model's multi-token-prediction layers.
    routing_imbalance : Array
        Work and traffic of the busiest expert rank over the mean [1], where a rank holds ``routing_experts`` of them; see
        :meth:`imbalance`.
    routing_experts : Array
        Experts of a layer on one rank for which ``routing_imbalance`` is stated.
    newton_schulz : Array
        Newton-Schulz iterations per step and matrix (Muon); 0: none.
    recompute, schedule : str
        "search", or the one policy or schedule to use.
    policies : tuple of Recompute
        What the recompute code of a layout stands for.
    stage_layers : tuple of int
        Decoder layers per pipeline rank where published; empty = as even as can be.
    traffic : Traffic
        Memory traffic of the small kernels.
    frozen : bool
        Only small adapters learn (LoRA): no gradients, no optimizer state and no gradient traffic of the
        weights.
    """

    architecture: Architecture
    tokens: Array
    sequence: int
    global_batch: float
    precisions: Precisions
    software: Software
    state: StateBytes
    mtp: bool = True
    routing_imbalance: Array = 1.0
    routing_experts: Array = 1.0
    newton_schulz: Array = 0.0
    recompute: str = "search"
    schedule: str = "search"
    policies: tuple[Recompute, ...] = STANDARD
    stage_layers: tuple[int, ...] = ()
    traffic: Traffic = NO_TRAFFIC
    frozen: bool = False

    def imbalance(self, expert_ranks: Array) -> Array:
        """Work and traffic of the busiest of the ranks that share the experts of a layer, over the mean [1].

        Parameters
        ----------
        expert_ranks : Array
            Ranks among which the experts of a layer are dealt out.

        Notes
        -----
        The load of a rank is the sum of those of its experts: its spread falls with the square root of their number.
        Measured on wide groups of DeepSeek-V3 experts under skewed routing (kernel tables of aiconfigurator-core 0.12.0,
        power law 0.8): 1.2-1.3 with 64 experts per rank, 1.4-1.7 with 16, 1.8-2.2 with 4.
        """
        moe = self.architecture.moe
        if moe is None:
            return 1.0
        held = np.maximum(moe.experts / np.asarray(expert_ranks, dtype=float), 1.0)
        return 1.0 + (np.asarray(self.routing_imbalance) - 1.0) * np.sqrt(self.routing_experts / held)

    @property
    def sequences(self) -> float:
        """Sequences per optimizer step."""
        return self.global_batch / self.sequence

    @property
    def steps(self) -> Array:
        """Optimizer steps of the whole run."""
        return self.tokens / self.global_batch

    @property
    def mtp_modules(self) -> int:
        """Multi-token-prediction modules that are trained."""
        mtp = self.architecture.mtp
        return mtp.modules if self.mtp and mtp is not None and mtp.trained_with_model else 0

    @property
    def depth(self) -> Depth:
        """Layers in pipeline order."""
        moe = self.architecture.moe_layers
        return Depth(self.architecture.layers - moe, moe, self.mtp_modules, self.stage_layers)
