"""Time of the blocks of a model for one micro-batch on one chip: compute by component, and collectives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.attention_shapes import LatentAttention
from sim.physics.chip import Chip, KernelCurve, kernel_time
from sim.physics.memory import Recompute
from sim.physics.operators import Operator, backward_operators, forward_operators
from sim.training.job import TrainingJob

Array = NDArray[np.float64] | float
Columns = dict[str, NDArray[np.float64]]

EXPERT_PARTS = ("router", "shared experts", "routed experts", "latent projections")
# Backward over forward FLOPs of an attention core that keeps its scores: four products instead of two. Fused
# kernels recompute the scores: five instead of two.
UNFUSED_OVER_FUSED = 2.0 / 2.5


@dataclass(slots=True)
class Times:
    """Seconds of one pass, by component and kind of block; absent = zero."""

    parts: dict[tuple[str, str], Array] = field(default_factory=dict)

    def add(self, component: str, kind: str, seconds: Array) -> None:
        """Count time of one block of a kind."""
        key = (component, kind)
        self.parts[key] = self.parts[key] + seconds if key in self.parts else seconds

    def of_kind(self, kind: str) -> Array:
        """All components of one block [s]."""
        return sum((seconds for (_, k), seconds in self.parts.items() if k == kind), start=0.0)

    def by_component(self, counts: dict[str, Array]) -> dict[str, Array]:
        """Components summed over ``counts`` blocks of each kind [s]."""
        found: dict[str, Array] = {}
        for (component, kind), seconds in self.parts.items():
            found[component] = found.get(component, 0.0) + seconds * counts[kind]
        return found


@dataclass(frozen=True, slots=True)
class Compute:
    """Compute of one micro-batch, per block: forward, backward for inputs and for weights, repeated
    forward."""

    forward: Times
    inputs: Times
    weights: Times
    repeated: Times


def compute_times(job: TrainingJob, chip: Chip, columns: Columns) -> Compute:
    """Kernel times of one micro-batch for every layout, per block of each kind [s], shapes (L, 1) or (L,
    draws)."""
    ranks = columns["tp"] * columns["cp"]
    group_tokens = columns["micro_batch"] * job.sequence * columns["ep"] * columns["etp"] / ranks
    forward = forward_operators(
        job.architecture,
        phase="training",
        sequences=columns["micro_batch"],
        new=float(job.sequence),
        past=0.0,
        precisions=job.precisions,
        group_tokens=group_tokens,
        fused_attention=job.software.fused_attention,
        mtp=job.mtp,
        traffic=job.traffic,
    )
    forward = (*forward, *_loss(job, columns))
    passes = {
        "forward": forward,
        "inputs": backward_operators(forward, part="input", traffic=job.traffic),
        "weights": () if job.frozen else backward_operators(forward, part="weight", traffic=job.traffic),
    }
    times = {name: _pass_times(ops, job, chip, columns, name != "forward") for name, ops in passes.items()}
    return Compute(repeated=_repeated(times["forward"], job, columns), **times)


def _loss(job: TrainingJob, columns: Columns) -> tuple[Operator, ...]:
    """Softmax and loss over the vocabulary, for the output head and for every MTP module."""
    tokens = columns["micro_batch"] * job.sequence
    moved = tokens * (job.architecture.vocab * job.traffic.loss_bytes)
    heads = [("logits", 1)] + ([("mtp", job.mtp_modules)] if job.mtp_modules else [])
    return tuple(
        Operator(
            name, "elementwise", "bf16", 0.0, 0.0, count * moved, tokens, float(count), "tensor", on_edge=True
        )
        for name, count in heads
    )


def _pass_times(
    ops: Iterable[Operator], job: TrainingJob, chip: Chip, columns: Columns, backward: bool
) -> Times:
    found = Times()
    for operator in ops:
        seconds = _operator_time(operator, job, chip, columns, backward)
        kinds, blocks = _place(operator, job)
        for kind in kinds:
            found.add(operator.component, kind, seconds / blocks)
        if operator.sharding == "expert" and np.any(np.asarray(job.routing_imbalance) != 1.0):
            extra = (job.imbalance(columns["ep"]) - 1.0) * seconds / blocks
            for kind in kinds:
                found.add("routing imbalance", kind, extra)
    return found


def _place(operator: Operator, job: TrainingJob) -> tuple[tuple[str, ...], float]:
    """Kinds of blocks an operator occurs in, and over how many its work is spread."""
    architecture, depth = job.architecture, job.depth
    if operator.on_edge:
        modules = float(max(1, job.mtp_modules)) if operator.component == "mtp" else 1.0
        return (operator.component,), modules
    if operator.component in EXPERT_PARTS or operator.sharding == "expert":
        return ("moe",), float(depth.moe)
    if operator.component == "dense ffn" and not architecture.shortcut_moe:
        return ("dense",), float(depth.dense)
    return tuple(kind for kind in ("dense", "moe") if getattr(depth, kind)), float(depth.layers)


def _operator_time(
    operator: Operator, job: TrainingJob, chip: Chip, columns: Columns, backward: bool
) -> Array:
    split = _split(operator, job, columns)
    context = columns["cp"]
    if operator.sharding == "expert":
        rows, bytes_split = operator.rows, split
    else:
        rows = operator.rows / context
        bytes_split = np.minimum(split, operator.token_shards * context)
    weights = operator.weight_bytes / (split if operator.sharding == "expert" else split / context)
    curve = _curve(operator, job, chip, columns, backward)
    seconds = kernel_time(
        operator.flop / split + _narrow(operator, curve, split, columns),
        weights + operator.token_bytes / bytes_split,
        chip.matrix_peak[operator.precision],
        chip.memory_bandwidth,
        curve,
        rows,
        operator.layers,
    )
    return seconds / chip.speed_factor.get((job.precisions.linear, "training"), 1.0)


def _narrow(operator: Operator, curve: KernelCurve, split: NDArray[np.float64], columns: Columns) -> Array:
    """Work that narrow products seem to add on one chip [FLOP]; tensor ranks leave one side of a product whole."""
    if operator.family not in ("gemm", "grouped_gemm"):
        return 0.0
    cut = columns["etp"] if operator.sharding == "expert" else split / columns["cp"]
    whole = operator.uncut * (cut - 1.0) / split
    return curve.narrow_flop(operator.inputs / split + whole, operator.outputs / split + whole)


def _split(operator: Operator, job: TrainingJob, columns: Columns) -> NDArray[np.float64]:
    """Chips that share the work of an operator."""
    if operator.sharding == "expert":
        return columns["ep"] * columns["etp"]
    if operator.sharding == "tensor" or job.software.sequence_parallel:
        return columns["tp"] * columns["cp"]
    if operator.family == "elementwise":
        repeated = job.traffic.repeated_by_ranks
        return columns["cp"] / (repeated + (1.0 - repeated) / columns["tp"])
    return columns["cp"]


def _curve(operator: Operator, job: TrainingJob, chip: Chip, columns: Columns, backward: bool) -> KernelCurve:
    """Kernel curve of an operator in one pass, with what the stack and the length of the sequences make of it."""
    curve = chip.curve(operator.family, operator.precision)
    if operator.family == "attention_prefill":
        if not job.software.fused_attention:  # plain batched products: no effect of length
            return replace(
                curve,
                compute=curve.compute
                * job.software.attention_speed
                / (UNFUSED_OVER_FUSED if backward else 1.0),
            )
        length = job.sequence / columns["cp"]  # a ring works on one block of keys at a time
        large = curve.at_length(length) * job.software.attention_speed
        return replace(curve, compute=large * (chip.attention_backward if backward else 1.0))
    products = operator.family in ("gemm", "grouped_gemm")
    return replace(curve, compute=curve.large * (chip.linear_backward if products and backward else 1.0))


def repeated_share(component: str, policy: Recompute, job: TrainingJob) -> float:
    """Share of the forward time of a component that the backward pass repeats under a policy [1]."""
    if component in ("logits", "embedding"):
        return 0.0
    if component == "attention projections":
        plain = policy.share("projections")
        return plain + (1.0 - plain) * policy.latent_up * latent_up_share(job)
    parts = {"dense ffn": "ffn", "shared experts": "ffn", "routed experts": "experts", "router": "experts"}
    parts |= {"attention core": "core", "attention scores": "core"}
    if component in parts:
        return policy.share(parts[component])
    if component in ("elementwise", "quantise"):
        return policy.layers + (1.0 - policy.layers) * policy.elementwise * float(
            job.traffic.norms_and_activation
        )
    return policy.layers


def latent_up_share(job: TrainingJob) -> float:
    """Share of the attention projections of an MLA model that turn latents into heads [1]."""
    up = total = 0.0
    for group in job.architecture.attention:
        if isinstance(group, LatentAttention):
            wide, value = group.heads * (group.nope_dim + group.rope_dim), group.heads * group.value_dim
            rank, hidden = group.query_rank or 0, job.architecture.hidden
            grown = rank * wide + group.kv_rank * (group.heads * group.nope_dim + value)
            up += group.layers * grown
            total += group.layers * (
                grown + hidden * ((rank or wide) + group.kv_rank + group.rope_dim + value)
            )
    return up / total if total else 0.0


def _repeated(forward: Times, job: TrainingJob, columns: Columns) -> Times:
    found = Times()
    code = columns["recompute"].astype(int)
    for (component, kind), seconds in forward.parts.items():
        name = "routed experts" if component == "routing imbalance" else component
        shares = np.array([repeated_share(name, policy, job) for policy in job.policies])
        if shares.any():
            found.add("recompute", kind, shares[code] * seconds)
    return found
