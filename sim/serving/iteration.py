"""Time of one engine step: operators, collectives, expert exchange, and what software adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import (
    Architecture,
    CompressedAttention,
    DenseFeedForward,
    LatentAttention,
)
from sim.physics.chip import Chip, kernel_time
from sim.physics.network import Network, all_reduce_time, exchange_time
from sim.physics.operators import Operator, forward_operators
from sim.serving.job import ServingJob, UnitShape

Array = NDArray[np.float64] | float

# Latent and compressed attention launch more small kernels per layer than grouped-query attention (1.6 fits
# decode steps of DeepSeek models on Hopper and Ascend); the prefill floor of a chip lies between the two.
_LATENT_KERNELS = 1.6
_GROUPED_PREFILL = 0.64
_GROUPS = {
    "attention core": "attention",
    "indexer": "attention",
    "linear attention": "attention",
    "routed experts": "experts",
    "elementwise": "elementwise",
    "logits": "logits",
}


@dataclass(frozen=True, slots=True)
class StepTime:
    """One engine step.

    Attributes
    ----------
    total_s : Array
        Its time [s].
    terms : mapping of str to Array
        Time by cause [s]: "attention", "matrix products", "experts", "elementwise", "logits", "all-reduce",
        "expert exchange" (what overlap does not hide), "launches", "drafting", "host"; adds up to
        ``total_s``.
    bounds : mapping of str to Array
        Time by what binds [s]: "compute", "bandwidth", "network", "latency"; adds up to ``total_s``.
    flop_s, byte_s, wire_s : Array
        Time the step would take at full matrix peak, memory bandwidth and network rate [s].
    """

    total_s: Array
    terms: Mapping[str, Array]
    bounds: Mapping[str, Array]
    flop_s: Array
    byte_s: Array
    wire_s: Array


@dataclass(frozen=True, slots=True)
class _Work:
    """Compute and communication of one pass, not yet combined; all in seconds."""

    terms: dict[str, Array]
    compute_bound_s: Array
    bandwidth_bound_s: Array
    reduce_s: Array
    reduce_floor_s: Array
    exchange_s: Array
    exchange_floor_s: Array
    edge_s: Array
    flop_s: Array
    byte_s: Array

    @property
    def compute_s(self) -> Array:
        """All but the expert exchange."""
        return sum(self.terms.values()) + self.reduce_s

    @property
    def wire_s(self) -> Array:
        """Communication without its fixed times."""
        return self.exchange_s - self.exchange_floor_s + self.reduce_s - self.reduce_floor_s

    def replaced(self, half: _Work, where: NDArray[np.bool_]) -> _Work:
        """Two of ``half`` in place of this one where a condition holds."""
        numbers = {
            name: np.where(where, 2 * getattr(half, name), getattr(self, name))
            for name in self.__dataclass_fields__
            if name != "terms"
        }
        terms: dict[str, Array] = {
            name: np.where(where, 2 * half.terms[name], value) for name, value in self.terms.items()
        }
        return _Work(terms=terms, **numbers)


def decode_step_time(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, batch: Array, context: Array
) -> StepTime:
    """Time of one decode step.

    Parameters
    ----------
    batch : Array
        Sequences per attention replica [sequence].
    context : Array
        Mean tokens in the cache of a sequence [token].

    Returns
    -------
    StepTime
        Everything broadcasts over shape, batch, context and draws.

    Notes
    -----
    Sum over operators of max(F / (a P), Q / (b W)) + t0, divided by their parallel degree; two all-reduces
    per dense layer; dispatch and combine per expert layer, every copy sent on its own (low-latency kernels);
    small kernels per layer; scheduling per step. With two-batch overlap, half-batches give 2 [max(C, X) h +
    (C + X)(1 - h)] for h the share hidden; the engine runs whichever is faster. With d drafts a step
    computes d + 1 positions per sequence, and each draft runs one more layer and the output head.
    """
    engine = job.engine
    positions = engine.drafts + 1

    def work(sequences: Array) -> _Work:
        operators = forward_operators(
            job.architecture,
            phase="decode",
            sequences=sequences,
            new=float(positions),
            past=context,
            precisions=job.precisions,
            group_tokens=sequences * positions * shape.dp,
        )
        return _work(job, chip, network, shape, operators, sequences * positions, decode=True)

    return _step(job, chip, shape, work, batch, "decode")


def prefill_time(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    sequences: Array,
    new: Array,
    past: Array = 0.0,
) -> StepTime:
    """Time of one prefill pass.

    Parameters
    ----------
    sequences : Array
        Prompts (or chunks of prompts) per attention replica in the pass; may be a fraction when ``new`` is a
        mean.
    new, past : Array
        Tokens computed per prompt, and tokens of it already in the cache [token].

    Notes
    -----
    As for decode, with dispatch that sends a token once per node, and never faster than the launch floor per
    layer of an engine that runs prefill without graphs.
    """

    def work(count: Array) -> _Work:
        operators = forward_operators(
            job.architecture,
            phase="prefill",
            sequences=count,
            new=new,
            past=past,
            precisions=job.precisions,
            group_tokens=count * new * shape.dp,
        )
        return _work(job, chip, network, shape, operators, count * new, decode=False)

    return _step(job, chip, shape, work, sequences, "prefill")


def _work(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    operators: tuple[Operator, ...],
    tokens: Array,
    *,
    decode: bool,
) -> _Work:
    """Operators and communication of ``tokens`` tokens per attention replica."""
    terms: dict[str, Array] = {"launches": 0.0}
    compute_bound: Array = 0.0
    bandwidth_bound: Array = 0.0
    edge: Array = 0.0
    flop_s: Array = 0.0
    byte_s: Array = 0.0
    for operator in operators:
        split = {"tensor": shape.tp, "expert": shape.ranks, "none": 1.0}[operator.sharding]
        skew = job.engine.expert_imbalance if operator.sharding == "expert" else 1.0
        flop = operator.flop * skew / split
        token_bytes = operator.token_bytes * _rereads(job, operator, decode)
        moved = operator.weight_bytes / split + token_bytes / np.minimum(split, operator.token_shards)
        curve, peak = chip.curve(operator.family, operator.precision), chip.matrix_peak[operator.precision]
        rows = operator.rows * skew
        time = kernel_time(flop, moved, peak, chip.memory_bandwidth, curve, rows, launches=operator.layers)
        launches = operator.layers * curve.overhead_s
        busy = time - launches
        at_bytes = busy <= moved / (curve.bandwidth * chip.memory_bandwidth) * (1 + 1e-9)
        group = _GROUPS.get(operator.component, "matrix products")
        terms[group] = terms.get(group, 0.0) + busy
        terms["launches"] = terms["launches"] + launches
        compute_bound = compute_bound + np.where(at_bytes, 0.0, busy)
        bandwidth_bound = bandwidth_bound + np.where(at_bytes, busy, 0.0)
        edge = edge + (time if operator.on_edge else 0.0)
        flop_s = flop_s + flop / peak
        byte_s = byte_s + moved / chip.memory_bandwidth
    reduce_s, reduce_floor = _all_reduces(job, network, shape, tokens)
    exchange, floor = _exchanges(job, network, shape, tokens / shape.tp, decode)
    return _Work(
        terms, compute_bound, bandwidth_bound, reduce_s, reduce_floor, exchange, floor, edge, flop_s, byte_s
    )


def _rereads(job: ServingJob, operator: Operator, decode: bool) -> Array:
    """Times the cache is read: engines without a fused verify kernel read part of it again for each draft."""
    if decode and operator.family == "attention_decode":
        return 1.0 + job.engine.draft_rereads * job.engine.drafts
    return 1.0


def _all_reduces(job: ServingJob, network: Network, shape: UnitShape, tokens: Array) -> tuple[Array, Array]:
    """Time of all tensor-parallel all-reduces of a pass, and the part that stays with no bytes [s]."""
    architecture = job.architecture
    always = sum(group.layers for group in architecture.attention)
    always += sum(group.layers for group in architecture.ffn if isinstance(group, DenseFeedForward))
    # Without data-parallel attention every rank has every token: the experts' results are summed, not
    # exchanged.
    count = always + np.where(np.asarray(shape.dp) > 1, 0, architecture.moe_layers)
    payload = tokens * architecture.hidden * job.precisions.activation_bytes
    return (
        count * all_reduce_time(payload, shape.tp, 1.0, network),
        count * all_reduce_time(0.0 * payload, shape.tp, 1.0, network),
    )


def _exchanges(
    job: ServingJob, network: Network, shape: UnitShape, tokens: Array, decode: bool
) -> tuple[Array, Array]:
    """Time of dispatch and combine of all expert layers, and the part that stays with no bytes [s]."""
    moe = job.architecture.moe
    if moe is None:
        return 0.0, 0.0
    width, precisions = job.architecture.exchange_width, job.precisions
    limit = float(moe.routing_limit or np.inf)
    total: Array = 0.0
    floor: Array = 0.0
    for element in (precisions.dispatch_bytes, precisions.combine_bytes):
        sized = (
            width * element,
            moe.active_experts,
            shape.ranks,
            limit,
            job.engine.expert_imbalance,
            network,
        )
        once = _copies_time if decode else _routed_time
        total = total + once(tokens, *sized)
        floor = floor + once(0.0 * np.asarray(tokens), *sized)
    used = np.asarray(shape.dp) > 1
    layers = job.architecture.moe_layers
    return np.where(used, layers * total, 0.0), np.where(used, layers * floor, 0.0)


def _routed_time(
    tokens: Array,
    row_bytes: Array,
    top_k: float,
    members: Array,
    limit: float,
    imbalance: Array,
    network: Network,
) -> Array:
    return exchange_time(tokens, row_bytes, top_k, members, 1.0, limit, imbalance, network)


def _copies_time(
    tokens: Array,
    row_bytes: Array,
    top_k: float,
    members: Array,
    limit: float,
    imbalance: Array,
    network: Network,
) -> Array:
    """Low-latency dispatch or combine: one message per token and chosen expert, whatever node it is on [s].

    Check: 32 tokens x 7,168 x (1 + 2) B x 9 experts over 50 GB/s are 0.12 ms, 14.8 ms for 2 x 61 layers, the
    bound of arXiv 2505.09343, section 2.3.2 (which lets dispatch and combine of two micro-batches follow one
    another).
    """
    slowest: Array = 0.0
    floor: Array = 0.0
    inner: Array = 1.0
    for tier, reached in zip(network.tiers, network.reach(members), strict=True):
        moved = imbalance * tokens * row_bytes * top_k * (reached - inner) / members
        slowest = np.maximum(slowest, moved / (tier.bandwidth * tier.exchange_efficiency))
        floor = np.where(reached > inner, tier.exchange_floor_s, floor)
        inner = reached
    return slowest + floor


def _step(
    job: ServingJob,
    chip: Chip,
    shape: UnitShape,
    work: Callable[[Array], _Work],
    amount: Array,
    phase: Literal["prefill", "decode"],
) -> StepTime:
    """Combine compute and communication, overlapped or not, and add what software takes."""
    parts = work(amount)
    exposed = parts.exchange_s
    if job.architecture.moe is not None and np.any(np.asarray(job.engine.overlap_hidden) > 0):
        parts, exposed = _overlapped(parts, work(amount / 2), job.engine.overlap_hidden, shape)
    busy = parts.compute_s + exposed
    extra = _small_kernels(job.architecture, chip, phase)
    if phase == "prefill":
        extra = np.maximum(extra * job.engine.eager_prefill - busy, 0.0)
    drafting: Array = 0.0
    if phase == "decode" and job.engine.drafts:
        layer = (busy + extra - parts.edge_s) / job.architecture.layers
        drafting = job.engine.drafts * (layer + parts.edge_s)
    speed = chip.speed_factor.get((job.precisions.linear, phase), chip.speed_factor.get(("bf16", phase), 1.0))
    host = job.engine.step_overhead_s + np.where(np.asarray(shape.dp) > 1, job.engine.replica_overhead_s, 0.0)
    terms = {name: value / speed for name, value in parts.terms.items()}
    terms["launches"] = terms["launches"] + extra / speed
    terms |= {"all-reduce": parts.reduce_s / speed, "expert exchange": exposed / speed}
    terms |= {"drafting": drafting / speed, "host": host}
    grown = (1.0 + drafting / (busy + extra)) / speed  # drafts repeat a layer, so they bind as the step does
    silent = parts.reduce_floor_s + np.minimum(parts.exchange_floor_s, exposed)
    bounds = {
        "compute": parts.compute_bound_s * grown,
        "bandwidth": parts.bandwidth_bound_s * grown,
        "network": (parts.reduce_s + exposed - silent) * grown,
        "latency": (parts.terms["launches"] + extra + silent) * grown + host,
    }
    total = (busy + extra + drafting) / speed + host
    return StepTime(total, terms, bounds, parts.flop_s, parts.byte_s, parts.wire_s)


def _overlapped(whole: _Work, half: _Work, hidden: Array, shape: UnitShape) -> tuple[_Work, Array]:
    """The faster of one batch in series and two half-batches in each other's gaps, and its visible exchange
    [s]."""
    longer, both = np.maximum(half.compute_s, half.exchange_s), half.compute_s + half.exchange_s
    paired = 2 * (longer * hidden + both * (1 - hidden))
    faster = (paired < whole.compute_s + whole.exchange_s) & (np.asarray(shape.dp) > 1)
    exposed = np.where(faster, paired - 2 * half.compute_s, whole.exchange_s)
    return whole.replaced(half, faster), exposed


def _small_kernels(architecture: Architecture, chip: Chip, phase: str) -> Array:
    """Launches and synchronisation per layer that no operator carries, over all layers [s]."""
    latent = any(isinstance(group, LatentAttention | CompressedAttention) for group in architecture.attention)
    experts = architecture.moe_layers
    dense_s, moe_s = chip.layer_overhead_s[f"{phase}_dense"], chip.layer_overhead_s[f"{phase}_moe"]
    if latent:
        dense_s, moe_s = dense_s * _LATENT_KERNELS, moe_s * _LATENT_KERNELS
    elif phase == "prefill":
        moe_s = moe_s * _GROUPED_PREFILL
    return (architecture.layers - experts) * dense_s + experts * moe_s
