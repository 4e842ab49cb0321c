"""Work of one engine pass: its operators on a rank, its all-reduces, its expert exchange."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Chip, KernelCurve, kernel_time
from sim.physics.network import Network
from sim.physics.operators import Operator, forward_operators
from sim.physics.work import ROUTED
from sim.serving.job import ServingJob, UnitShape
from sim.serving.touched import as_routed
from sim.serving.wires import all_reduces, exchanges

Array = NDArray[np.float64] | float

_GROUPS = {
    "attention core": "attention",
    "indexer": "attention",
    "linear attention": "attention",
    ROUTED: "experts",
    "elementwise": "elementwise",
    "logits": "logits",
}


@dataclass(frozen=True, slots=True)
class Work:
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

    def replaced(self, half: Work, where: NDArray[np.bool_]) -> Work:
        """Two of ``half`` in place of this one where a condition holds."""
        numbers = {
            name: np.where(where, 2 * getattr(half, name), getattr(self, name))
            for name in self.__dataclass_fields__
            if name != "terms"
        }
        terms: dict[str, Array] = {
            name: np.where(where, 2 * half.terms[name], value) for name, value in self.terms.items()
        }
        return Work(terms=terms, **numbers)


def decode_work(
    job: ServingJob, chip: Chip, network: Network, shape: UnitShape, sequences: Array, context: Array
) -> Work:
    """One decode pass of ``sequences`` sequences per attention replica."""
    tokens = sequences * (job.engine.drafts + 1)
    operators = _decode_operators(job, shape, sequences, context)
    return _work(job, chip, network, shape, operators, tokens, tokens, copies=True)


def prefill_work(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    sequences: Array,
    new: Array,
    past: Array,
    active: Array,
) -> Work:
    """One prefill pass; ``active`` is the share of attention replicas that have prompts in it."""
    operators = _prefill_operators(job, shape, sequences, new, past, active)
    tokens = sequences * new
    return _work(job, chip, network, shape, operators, tokens, tokens * active, copies=False)


def mixed_work(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    decoding: tuple[Array, Array],
    prompts: tuple[Array, Array, Array],
    active: Array,
) -> Work:
    """One pass that decodes (sequences, context) and reads (sequences, new, past): weights are read once."""
    decode = _decode_operators(job, shape, *decoding)
    prefill = _prefill_operators(job, shape, *prompts, active)
    steps, tokens = decoding[0] * (job.engine.drafts + 1), prompts[0] * prompts[1]
    merged = _merged(decode, prefill)
    return _work(job, chip, network, shape, merged, steps + tokens, steps + tokens * active, copies=False)


def _decode_operators(
    job: ServingJob, shape: UnitShape, sequences: Array, context: Array
) -> tuple[Operator, ...]:
    positions = float(job.engine.drafts + 1)
    tokens = sequences * positions * shape.dp
    operators = forward_operators(
        job.architecture,
        phase="decode",
        sequences=sequences,
        new=positions,
        past=context,
        precisions=job.precisions,
        group_tokens=tokens,
        traffic=job.engine.small_kernels,
    )
    return as_routed(job, shape, operators, tokens)


def _prefill_operators(
    job: ServingJob, shape: UnitShape, sequences: Array, new: Array, past: Array, active: Array
) -> tuple[Operator, ...]:
    tokens = sequences * new * shape.dp * active
    operators = forward_operators(
        job.architecture,
        phase="prefill",
        sequences=sequences,
        new=new,
        past=past,
        precisions=job.precisions,
        group_tokens=tokens,
        traffic=job.engine.small_kernels,
    )
    return as_routed(job, shape, operators, tokens)


def _merged(first: tuple[Operator, ...], second: tuple[Operator, ...]) -> tuple[Operator, ...]:
    """Operators of two passes run as one: products with the same weights become one product."""
    rest = list(second)
    found = []
    for one in first:
        key = (one.component, one.family, one.precision, one.sharding, one.layers)
        twin = next((two for two in rest if _key(two) == key and np.any(two.weight_bytes)), None)
        if twin is None:
            found.append(one)
            continue
        rest = [other for other in rest if other is not twin]
        found.append(
            replace(
                one,
                flop=one.flop + twin.flop,
                weight_bytes=np.maximum(one.weight_bytes, twin.weight_bytes),
                token_bytes=one.token_bytes + twin.token_bytes,
                rows=one.rows + twin.rows,
                uncut=one.uncut + twin.uncut,
            )
        )
    return (*found, *rest)


def _key(operator: Operator) -> tuple[str, str, str, str, float]:
    return operator.component, operator.family, operator.precision, operator.sharding, operator.layers


def _work(
    job: ServingJob,
    chip: Chip,
    network: Network,
    shape: UnitShape,
    operators: tuple[Operator, ...],
    tokens: Array,
    exchanged: Array,
    *,
    copies: bool,
) -> Work:
    """Operators and communication of ``tokens`` tokens per attention replica, of which ``exchanged`` on
    average."""
    terms: dict[str, Array] = {"launches": 0.0}
    compute_bound: Array = 0.0
    bandwidth_bound: Array = 0.0
    edge: Array = 0.0
    flop_s: Array = 0.0
    byte_s: Array = 0.0
    # Experts cut over all ranks load every rank alike.
    imbalance = np.where(np.asarray(shape.expert_ranks) > 1, job.engine.expert_imbalance, 1.0)
    fetched: Array = 0.0
    for operator in operators:
        if operator.component == "engram" and np.all(np.isfinite(job.engine.host_bandwidth)):
            fetched = fetched + operator.token_bytes / job.engine.host_bandwidth
            continue
        split = _split(job, shape, operator, prompts=not copies)
        skew = imbalance if operator.sharding == "expert" else 1.0
        flop = operator.flop * skew / split
        token_bytes = operator.token_bytes * _rereads(job, operator)
        moved = operator.weight_bytes / split + token_bytes / np.minimum(split, operator.token_shards)
        curve, peak = _curve(job, chip, operator), chip.matrix_peak[operator.precision]
        rows = operator.rows * skew
        time = kernel_time(flop, moved, peak, chip.memory_bandwidth, curve, rows, launches=operator.layers)
        launches = operator.layers * curve.overhead_s
        busy = time - launches
        gathered = _gathered(chip, shape, operator, skew)
        at_bytes = busy <= moved / (curve.bandwidth * chip.memory_bandwidth) * (1 + 1e-9)
        group = _GROUPS.get(operator.component, "matrix products")
        terms[group] = terms.get(group, 0.0) + busy + gathered
        terms["launches"] = terms["launches"] + launches
        compute_bound = compute_bound + np.where(at_bytes, 0.0, busy)
        bandwidth_bound = bandwidth_bound + np.where(at_bytes, busy, 0.0) + gathered
        edge = edge + (time if operator.on_edge else 0.0)
        flop_s = flop_s + flop / peak
        byte_s = byte_s + moved / chip.memory_bandwidth
    if np.any(np.asarray(fetched) > 0):
        # The rows follow from the tokens alone, so they are read ahead while the pass computes.
        terms["look-ups"] = np.maximum(fetched - sum(terms.values()), 0.0)
        bandwidth_bound = bandwidth_bound + terms["look-ups"]
    reduce_s, reduce_floor = all_reduces(job, network, shape, tokens)
    exchange, floor = exchanges(job, network, shape, exchanged / shape.tp, copies)
    return Work(
        terms, compute_bound, bandwidth_bound, reduce_s, reduce_floor, exchange, floor, edge, flop_s, byte_s
    )


def _gathered(chip: Chip, shape: UnitShape, operator: Operator, skew: Array) -> Array:
    """Time for the rows of experts to be gathered, quantised and scattered, as far as the kernel curve, which is that of
    whole experts, does not hold it [s].

    Notes
    -----
    A rank with a slice of each expert sees as many routed rows, of full width, as one with whole experts.
    """
    moved = chip.expert_gather.get(operator.precision, 0.0)
    if operator.component != ROUTED or not np.any(np.asarray(moved) > 0):
        return 0.0
    rows = operator.uncut * skew * (1.0 / np.asarray(shape.expert_ranks) - 1.0 / np.asarray(shape.ranks))
    return moved * rows / chip.memory_bandwidth


def _curve(job: ServingJob, chip: Chip, operator: Operator) -> KernelCurve:
    """Efficiency of an operator in this engine."""
    curve = chip.curve(operator.family, operator.precision)
    if operator.family != "grouped_gemm":
        return curve
    return replace(curve, compute=curve.compute * job.engine.grouped_speed)


def _split(job: ServingJob, shape: UnitShape, operator: Operator, *, prompts: bool) -> Array:
    """Ranks that divide an operator."""
    if operator.sharding == "expert":
        return shape.ranks
    along_sequence = prompts and job.engine.sequence_parallel and operator.component == "elementwise"
    return shape.tp if operator.sharding == "tensor" or along_sequence else 1.0


def _rereads(job: ServingJob, operator: Operator) -> Array:
    """Times the cache is read: engines without a fused verify kernel read part of it again for each draft."""
    if operator.family == "attention_decode":
        return 1.0 + job.engine.draft_rereads * job.engine.drafts
    return 1.0
