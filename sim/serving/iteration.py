"""Time of one engine step: operators, collectives, expert exchange, and what software adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.architecture import Architecture
from sim.physics.attention_shapes import CompressedAttention, LatentAttention
from sim.physics.chip import Chip
from sim.physics.network import Network
from sim.serving.job import ServingJob, UnitShape
from sim.serving.passes import Work, decode_work, mixed_work, prefill_work

Array = NDArray[np.float64] | float


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
    computes d + 1 positions per sequence, and each draft runs one more layer and the output head (times what
    the engine makes of it).
    """

    def work(sequences: Array) -> Work:
        return decode_work(job, chip, network, shape, sequences, context)

    return _step(job, chip, shape, work, batch, "decode")


def prefill_time(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    sequences: Array,
    new: Array,
    past: Array = 0.0,
    active: Array = 1.0,
) -> StepTime:
    """Time of one prefill pass.

    Parameters
    ----------
    sequences : Array
        Prompts (or chunks of prompts) per attention replica in the pass; may be a fraction when ``new`` is a
        mean.
    new, past : Array
        Tokens computed per prompt, and tokens of it already in the cache [token].
    active : Array
        Share of the attention replicas that have prompts in the pass; the others only take part in the
        expert layers [1].

    Notes
    -----
    As for decode, with dispatch that sends a token once per node, and never faster than the launch floor per
    layer of an engine that runs prefill without graphs.
    """

    def work(count: Array) -> Work:
        return prefill_work(job, chip, network, shape, count, new, past, active)

    return _step(job, chip, shape, work, sequences, "prefill")


def mixed_step_time(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    decoding: tuple[Array, Array],
    prompts: tuple[Array, Array, Array],
    active: Array = 1.0,
) -> StepTime:
    """Time of a step that decodes and carries prompt chunks.

    Parameters
    ----------
    decoding : (sequences, context)
        As in :func:`decode_step_time`.
    prompts : (sequences, new, past)
        As in :func:`prefill_time`.
    active : Array
        Share of the attention replicas that have prompts in the step [1].

    Notes
    -----
    Matrix products run once over all tokens, so their weights are read once; the attention of both kinds adds
    up.
    """

    def work(share: Array) -> Work:
        halves = (decoding[0] * share, decoding[1]), (prompts[0] * share, *prompts[1:])
        return mixed_work(job, chip, network, shape, *halves, active)

    return _step(job, chip, shape, work, 1.0, "decode")


def _step(
    job: ServingJob,
    chip: Chip,
    shape: UnitShape,
    work: Callable[[Array], Work],
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
        drafting = job.engine.drafts * job.engine.draft_cost * (layer + parts.edge_s)
    speed = chip.speed_factor.get((job.precisions.linear, phase), chip.speed_factor.get(("bf16", phase), 1.0))
    speed = speed * job.engine.speed
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


def _overlapped(whole: Work, half: Work, hidden: Array, shape: UnitShape) -> tuple[Work, Array]:
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
        dense_s, moe_s = dense_s * chip.latent_layers, moe_s * chip.latent_layers
    elif phase == "prefill":
        moe_s = moe_s * chip.grouped_prefill
    return (architecture.layers - experts) * dense_s + experts * moe_s
