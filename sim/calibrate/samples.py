"""Measured kernels and collectives as the simulator counts them: work, traffic and seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sim.calibrate.lines import Line
from sim.physics.attention import core_width, core_work
from sim.physics.attention_shapes import GroupedAttention, LatentAttention

KERNEL_FAMILIES = ("gemm", "grouped_gemm", "attention_prefill", "attention_decode", "elementwise", "lookup")
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
SHAPE_COLUMNS = (
    "m", "n", "k", "experts", "batch", "heads", "kv_heads", "head_dim", "latent", "rope_dim", "value_dim",
    "new", "past", "bytes", "members",
)  # fmt: skip
COLUMNS = (
    "chip", "family", "precision", *SHAPE_COLUMNS, "launches", "latency_s",
    "clock_mhz", "power_w", "device", "software", "date",
)  # fmt: skip
NEEDED = ("chip", "family", "precision", "latency_s")

# Stored bytes per element; four-bit formats with a scale of one byte per 32 elements (MX). Weights that are served as fp4
# have one per 16 (NVFP4): sim.serving.job.STORED_BYTES.
BYTES = {
    "fp32": 4.0,
    "tf32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.53,
    "int4": 0.53,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured kernel.

    Attributes
    ----------
    flop, moved : float
        Work [FLOP] and memory traffic [byte].
    rows : float
        Rows of the matrix product, per expert for grouped ones [rows].
    launches : float
        Operators of the simulator it stands for; 0.5 for one of the two products of an expert layer.
    seconds : float
        Measured time [s].
    software : str
        Library and format, where the table names them.
    shape : str
        What stays when only the batch changes: rows of one shape vary together.
    inputs, outputs : float
        Dense products: elements that enter and leave them.
    length : float
        Attention over whole prompts: tokens of a sequence.
    """

    chip: str
    family: str
    precision: str
    flop: float
    moved: float
    rows: float
    launches: float
    seconds: float
    software: str
    shape: str
    inputs: float = 0.0
    outputs: float = 0.0
    length: float = 0.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One measured collective: ``payload`` [byte] is the whole buffer, as in :mod:`sim.physics.network`."""

    chip: str
    operation: str
    members: float
    payload: float
    seconds: float
    software: str


# --- work of a kernel, counted as in sim/physics -----------------------------------------------------------------


def product_sample(
    line: Line,
    chip: str,
    precision: str,
    seconds: float,
    software: str,
    size: str = "m n k",
    width: float = 0.0,
) -> Sample:
    """A dense product from three columns of a row; ``width`` [byte] is that of the weights where it differs."""
    m, n, k = (line.size(name) for name in size.split())
    moved = BYTES[precision] * m * k + (width or BYTES[precision]) * n * k + 2.0 * m * n
    return Sample(
        chip, "gemm", precision, 2 * m * n * k, moved, m, 1.0, seconds, software, f"{n:g}x{k:g}", m * k, m * n
    )


def expert_sample(
    chip: str, precision: str, seconds: float, software: str, *, copies: float, experts: float, hidden: float,
    inner: float, weight_width: float, launches: float = 1.0,
) -> Sample:  # fmt: skip
    """An expert layer: gate and up (hidden to 2 inner) and down; ``copies`` routed tokens over ``experts``."""
    busy = min(experts, copies)
    token = BYTES[precision] * (hidden + inner) + 2.0 * (2 * inner + hidden)
    weights = 3.0 * hidden * inner
    moved = busy * weights * weight_width + copies * token
    shape = f"{experts:g}x{hidden:g}x{inner:g}"
    flop = 2 * copies * weights
    return Sample(
        chip, "grouped_gemm", precision, flop, moved, copies / busy, launches, seconds, software, shape
    )


def attention_sample(
    kind: GroupedAttention | LatentAttention, chip: str, family: str, precision: str, seconds: float, software: str,
    *, batch: float, new: float, past: float, cache_bytes: float,
) -> Sample:  # fmt: skip
    """The attention core of one layer: ``new`` tokens after ``past`` cached ones, in ``batch`` sequences."""
    decode = family == "attention_decode"
    work = core_work(kind, past, new, cache_bytes=cache_bytes, decode=decode)
    moved = batch * (float(work.read_bytes) + new * core_width(kind, decode) * 2.0)
    latent = isinstance(kind, LatentAttention)
    shape = f"mla {kind.heads}" if latent else f"gqa {kind.heads}/{getattr(kind, 'kv_heads', 0)}"
    flop = batch * float(work.flop)
    return Sample(
        chip, family, precision, flop, moved, batch * new, 1.0, seconds, software, shape, length=new
    )


def latent_attention(heads: float, latent: float, nope: float, rope: float, value: float) -> LatentAttention:
    """One layer of latent attention by its widths."""
    return LatentAttention(
        layers=1, heads=int(heads), query_rank=None, kv_rank=int(latent), nope_dim=int(nope), rope_dim=int(rope),
        value_dim=int(value),
    )  # fmt: skip


def grouped_attention(heads: float, kv_heads: float, head_dim: float) -> GroupedAttention:
    """One layer of grouped-query attention."""
    return GroupedAttention(layers=1, heads=int(heads), kv_heads=int(kv_heads), head_dim=int(head_dim))
