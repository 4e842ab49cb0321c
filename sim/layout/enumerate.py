"""All parallel layouts that a job may use on a number of chips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import RECOMPUTE, SCHEDULES, Ints, Layouts


def _has_small_factors(number: int) -> bool:
    """Whether no prime above 7 divides it."""
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number == 1


# Pipeline stages that are tried.
STAGES = np.array([number for number in range(1, 129) if _has_small_factors(number)])


@dataclass(frozen=True, slots=True)
class Shape:
    """What limits the degrees.

    Attributes
    ----------
    heads, layers, experts : int
        Query heads, decoder layers, routed experts of a layer (0 for a dense model).
    sequences : float
        Sequences per optimizer step.
    sequence : int
        Tokens per sequence.
    tail : int
        Layers that the output head and MTP modules count for when layers are dealt out to stages.
    """

    heads: int
    layers: int
    experts: int
    sequences: float
    sequence: int
    tail: int = 1


@dataclass(frozen=True, slots=True)
class Options:
    """What the search may choose from.

    Attributes
    ----------
    micro_batches : tuple of int
        Sequences per micro-batch.
    recompute, schedules : tuple of str
        Policies and schedules.
    chunks : tuple of int
        Virtual stages per rank under the interleaved schedule.
    zero : tuple of int
        State sharding without pipeline; with one, stage 1 is used.
    context_tokens : int
        Fewest tokens of a sequence on one context rank.
    uneven : float
        Largest virtual stage over the mean, less one, that interleaving may have. Megatron-LM takes none.
    """

    micro_batches: tuple[int, ...] = (1, 2, 4, 8)
    recompute: tuple[str, ...] = RECOMPUTE
    schedules: tuple[str, ...] = SCHEDULES
    chunks: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 10, 12)
    zero: tuple[int, ...] = (1, 3)
    context_tokens: int = 4096
    uneven: float = 0.1


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Legal layouts, and how many were turned away and why."""

    layouts: Layouts
    rejected: dict[str, int]


def enumerate_layouts(shape: Shape, chips: int, domain: float, options: Options = Options()) -> Enumeration:
    """Legal layouts of a job on at most ``chips`` chips.

    Parameters
    ----------
    shape : Shape
        What the model and the batch allow.
    chips : int
        Chips there are; those beyond a whole number of replicas stay idle.
    domain : float
        Chips joined by the scale-up fabric: the most that tensor parallelism may span.
    options : Options
        What to choose from.

    Notes
    -----
    Legal: tp divides the heads and stays inside the domain; no more stages than layers; ep divides the
    experts and the chips of a stage; at least one sequence per replica; interleaved with micro-batches in
    multiples of the ranks and virtual stages of nearly equal size, of which the first may hold the embedding alone and
    the last the head; DualPipe with an even number of ranks, DualPipeV with two stages on each, both with two
    micro-batches per rank. Micro-batches are rounded up, so a batch that does not divide costs time
    instead of being refused.
    """
    degrees, rejected = _degrees(shape, chips, domain, options)
    tp, pp, cp, ep, dp = degrees
    base = {"tp": tp, "pp": pp, "cp": cp, "ep": ep, "dp": dp}
    grid = _cross(base, micro_batch=options.micro_batches)
    grid["micro_batches"] = np.ceil(shape.sequences / (grid["dp"] * grid["micro_batch"])).astype(np.int64)
    parts = [
        part for name in options.schedules for part in _with_schedule(name, grid, shape, options, rejected)
    ]
    codes = [RECOMPUTE.index(name) for name in options.recompute]
    merged = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else _empty()
    merged = _cross(merged, recompute=codes)
    merged["etp"] = np.where(merged["ep"] == 1, merged["tp"], 1)
    merged["zero_shard"] = merged["dp"] * merged["cp"]
    return Enumeration(Layouts(**merged), {reason: count for reason, count in rejected.items() if count})


def _cross(columns: dict[str, Ints], **choices: Iterable[int]) -> dict[str, Ints]:
    """Every row with every value of one more column."""
    for name, values in choices.items():
        options = np.asarray(list(values), dtype=np.int64)
        rows = len(next(iter(columns.values())))
        columns = {key: np.repeat(column, len(options)) for key, column in columns.items()}
        columns[name] = np.tile(options, rows)
    return columns


def _empty() -> dict[str, Ints]:
    names = ("tp", "pp", "cp", "ep", "dp", "micro_batch", "micro_batches", "schedule", "vpp", "zero")
    return {name: np.array([], dtype=np.int64) for name in names}


def _powers(limit: float) -> Ints:
    return 2 ** np.arange(int(np.log2(max(1.0, limit))) + 1, dtype=np.int64)


def _degrees(
    shape: Shape, chips: int, domain: float, options: Options
) -> tuple[tuple[Ints, ...], dict[str, int]]:
    """Degrees whose products fit, with the number of combinations turned away per reason."""
    rejected: dict[str, int] = {}
    tensor = _powers(min(domain, shape.heads, chips))
    stages = STAGES[shape.layers >= STAGES]
    context = _powers(max(1.0, shape.sequence / options.context_tokens))
    divisors = np.array(
        [n for n in range(1, shape.experts + 1) if shape.experts % n == 0] or [1], dtype=np.int64
    )
    tp, pp, cp, ep = (axis.ravel() for axis in np.meshgrid(tensor, stages, context, divisors, indexing="ij"))

    def keep(columns: tuple[Ints, ...], mask: NDArray[np.bool_], reason: str) -> tuple[Ints, ...]:
        rejected[reason] = rejected.get(reason, 0) + int((~mask).sum())
        return tuple(column[mask] for column in columns)

    found = keep((tp, pp, cp, ep), shape.heads % tp == 0, "heads not divisible by tensor ranks")
    replica = found[0] * found[1] * found[2]
    found = keep(found, replica <= chips, "one replica is larger than the cluster")
    tp, pp, cp, ep = found
    step = ep // np.gcd(ep, tp * cp)
    most = np.minimum(chips // (tp * pp * cp), int(shape.sequences))
    dp = most // step * step
    found = keep(
        (tp, pp, cp, ep, dp),
        dp >= 1,
        "expert ranks do not fit into a stage, or fewer sequences than replicas",
    )
    return found, rejected


def _with_schedule(
    name: str, grid: dict[str, Ints], shape: Shape, options: Options, rejected: dict[str, int]
) -> list[dict[str, Ints]]:
    """Rows that a schedule can run, with its code, chunks and sharding.

    Interleaving needs a multiple of the stages, DualPipe an even number of micro-batches: the last ones are then
    partly empty, as if fewer replicas shared the batch.
    """
    code = SCHEDULES.index(name)
    stages, count = grid["pp"], grid["micro_batches"]
    found = []
    if name == "1f1b":
        single = _pick(grid, stages == 1)
        found.append(_cross(single, schedule=[code], vpp=[1], zero=options.zero))
        found.append(_cross(_pick(grid, stages > 1), schedule=[code], vpp=[1], zero=[1]))
    elif name == "interleaved":
        for chunks in options.chunks:
            staged, even = stages > 1, _even_enough(chunks * stages, shape, options)
            whole = {**grid, "micro_batches": -(-count // stages) * stages}
            found.append(_cross(_pick(whole, staged & even), schedule=[code], vpp=[chunks], zero=[1]))
            _count(rejected, "virtual stages without a layer or of uneven size", staged & ~even)
    elif name == "zero-bubble":
        found.append(_cross(_pick(grid, stages > 1), schedule=[code], vpp=[1], zero=[1]))
    else:
        folded = name == "dualpipev"
        able = (stages > 1) & (2 * stages <= shape.layers if folded else stages % 2 == 0)
        enough = count >= 2 * stages
        even_count = {**grid, "micro_batches": count if folded else -(-count // 2) * 2}
        found.append(_cross(_pick(even_count, able & enough), schedule=[code], vpp=[1 + folded], zero=[1]))
        _count(rejected, "too few micro-batches for DualPipe" + "V" * folded, able & ~enough)
    return found


def _even_enough(stages: Ints, shape: Shape, options: Options) -> NDArray[np.bool_]:
    """True where layers and head can be dealt out to virtual stages so that none is much above the mean."""
    units = shape.layers + shape.tail
    largest = np.maximum(np.ceil(units / stages), shape.tail)
    return (stages <= shape.layers + 2) & (largest * stages <= (1.0 + options.uneven) * units)


def _pick(columns: dict[str, Ints], mask: NDArray[np.bool_]) -> dict[str, Ints]:
    return {key: column[mask] for key, column in columns.items()}


def _count(rejected: dict[str, int], reason: str, mask: NDArray[np.bool_]) -> None:
    rejected[reason] = rejected.get(reason, 0) + int(mask.sum())
