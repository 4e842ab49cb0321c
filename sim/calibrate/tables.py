"""Readers of kernel tables: ours and public ones; rows become work, traffic and seconds as the simulator counts them.

A reader is a function from a row to a :class:`Sample`, a :class:`Transfer`, or the reason why it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sim.calibrate.lines import Line, read_lines
from sim.physics.architecture import GroupedAttention, LatentAttention
from sim.physics.attention import core_width, core_work
from sim.profiles.messages import InputError, Mark, Problem
from sim.units import did_you_mean

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

# Stored bytes per element; four-bit formats carry a scale for every 16 or 32 elements.
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


@dataclass(frozen=True, slots=True)
class Transfer:
    """One measured collective: ``payload`` [byte] is the whole buffer, as in :mod:`sim.physics.network`."""

    chip: str
    operation: str
    members: float
    payload: float
    seconds: float
    software: str


@dataclass(slots=True)
class Table:
    """What one or several files hold; ``left_out`` counts rows by the reason they are not used."""

    samples: list[Sample] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    dates: set[str] = field(default_factory=set)


Reader = Callable[[Line], Sample | Transfer | str]


def read_tables(paths: list[Path]) -> Table:
    """All rows of the tables, whichever of the known formats each has.

    Raises
    ------
    InputError
        With file and line, when a table is of no known format or a cell cannot be used.
    """
    table = Table()
    for path in paths:
        columns, lines = read_lines(path)
        reader = _reader(path, columns)
        for line in lines:
            found = reader(line)
            table.dates |= {line.text("date")} - {""}
            if isinstance(found, str):
                table.left_out[found] += 1
            elif isinstance(found, Sample):
                table.samples.append(found)
            else:
                table.transfers.append(found)
    return table


def _reader(path: Path, columns: tuple[str, ...]) -> Reader:
    for needed, reader in FORMATS.items():
        if set(needed) <= set(columns):
            return reader
    missing = [name for name in NEEDED if name not in columns]
    hint = did_you_mean(missing[0], columns)
    message = (
        f"missing column {', '.join(missing)}{hint}; a table of kernels has {', '.join(NEEDED)} and sizes"
    )
    raise InputError([Problem(message, Mark(path))])


# --- work of a kernel, counted as in sim/physics -----------------------------------------------------------------


def _gemm(
    line: Line,
    chip: str,
    precision: str,
    seconds: float,
    software: str,
    size: str = "m n k",
    width: float = 0.0,
) -> Sample:
    m, n, k = (line.size(name) for name in size.split())
    moved = BYTES[precision] * m * k + (width or BYTES[precision]) * n * k + 2.0 * m * n
    return Sample(chip, "gemm", precision, 2 * m * n * k, moved, m, 1.0, seconds, software, f"{n:g}x{k:g}")


def _experts(
    chip: str, precision: str, seconds: float, software: str, *, copies: float, experts: float, hidden: float,
    inner: float, weight_width: float, launches: float = 1.0,
) -> Sample:  # fmt: skip
    """An expert layer: gate and up (hidden to 2 inner) and down; ``copies`` routed tokens over ``experts``."""
    busy = min(experts, copies)
    token = min(BYTES[precision], 2.0) * (hidden + inner) + 2.0 * (2 * inner + hidden)
    weights = 3.0 * hidden * inner
    moved = busy * weights * weight_width + copies * token
    shape = f"{experts:g}x{hidden:g}x{inner:g}"
    flop = 2 * copies * weights
    return Sample(
        chip, "grouped_gemm", precision, flop, moved, copies / busy, launches, seconds, software, shape
    )


def _attention(
    kind: GroupedAttention | LatentAttention, chip: str, family: str, precision: str, seconds: float, software: str,
    *, batch: float, new: float, past: float, cache_bytes: float,
) -> Sample:  # fmt: skip
    decode = family == "attention_decode"
    work = core_work(kind, past, new, cache_bytes=cache_bytes, decode=decode)
    moved = batch * (float(work.read_bytes) + new * core_width(kind, decode) * 2.0)
    latent = isinstance(kind, LatentAttention)
    shape = f"mla {kind.heads}" if latent else f"gqa {kind.heads}/{getattr(kind, 'kv_heads', 0)}"
    flop = batch * float(work.flop)
    return Sample(chip, family, precision, flop, moved, batch * new, 1.0, seconds, software, shape)


def _mla(heads: float, latent: float, nope: float, rope: float, value: float) -> LatentAttention:
    return LatentAttention(
        layers=1, heads=int(heads), query_rank=None, kv_rank=int(latent), nope_dim=int(nope), rope_dim=int(rope),
        value_dim=int(value),
    )  # fmt: skip


def _gqa(heads: float, kv_heads: float, head_dim: float) -> GroupedAttention:
    return GroupedAttention(layers=1, heads=int(heads), kv_heads=int(kv_heads), head_dim=int(head_dim))


DEEPSEEK_MLA = {"latent": 512.0, "nope": 128.0, "rope": 64.0, "value": 128.0}  # what public MLA kernels run


# --- our own format ----------------------------------------------------------------------------------------------


def _own(line: Line) -> Sample | Transfer:
    """Our own measurements (docs/your-own-chip.md says what each column holds)."""
    chip, family, software = line.text("chip"), line.text("family"), line.text("software")
    precision = line.text("precision")
    known = (*KERNEL_FAMILIES, *COLLECTIVES)
    if family not in known:
        line.refuse("family", f'"{family}" is not one of {", ".join(known)}{did_you_mean(family, known)}')
    if precision not in BYTES:
        line.refuse(
            "precision", f'"{precision}" is not one of {", ".join(BYTES)}{did_you_mean(precision, BYTES)}'
        )
    seconds, launches = line.value("latency_s"), line.value("launches", 1.0)
    if seconds == 0.0:
        line.refuse("latency_s", "read 0, where a time above zero is expected")
    if family in COLLECTIVES:
        return Transfer(chip, family, line.size("members", 2), line.size("bytes"), seconds, software)
    if family == "gemm":
        return replace(_gemm(line, chip, precision, seconds, software), launches=launches)
    if family == "grouped_gemm":
        experts, rows = line.size("experts"), line.size("m")
        return _experts(
            chip, precision, seconds, software, copies=experts * rows, experts=experts, hidden=line.size("k"),
            inner=line.size("n"), weight_width=BYTES[precision], launches=launches,
        )  # fmt: skip
    if family in ("elementwise", "lookup"):
        moved = line.size("bytes")
        return Sample(chip, family, precision, 0.0, moved, 1.0, launches, seconds, software, f"{moved:g}")
    if line.text("latent"):
        kind: GroupedAttention | LatentAttention = _mla(
            *(line.size(name) for name in ("heads", "latent", "head_dim", "rope_dim", "value_dim"))
        )
    else:
        kind = _gqa(*(line.size(name) for name in ("heads", "kv_heads", "head_dim")))
    batch, new, past = line.size("batch"), line.size("new"), line.value("past", 0.0)
    return _attention(
        kind, chip, family, precision, seconds, software,
        batch=batch, new=new, past=past, cache_bytes=BYTES[precision],
    )  # fmt: skip


# --- public tables: aiconfigurator-core (times in ms) --------------------------------------------------------------

CHIPS = {
    "a100_sxm": "a100-sxm-80g", "h100_sxm": "h100-sxm", "h200_sxm": "h200-sxm", "b200_sxm": "b200",
    "gb200": "gb200-nvl72", "b300_sxm": "b300", "gb300": "gb300-nvl72",
    "H800 SXM5": "h800", "Ascend 950DT": "ascend-950dt", "B200": "b200",
}  # fmt: skip
FORMAT_NAMES = {
    "bfloat16": "bf16", "float16": "fp16", "fp8": "fp8", "fp8_block": "fp8", "fp8_e4m3": "fp8", "nvfp4": "fp4",
    "sq": "int8", "w4a8_mxfp4_mxfp8": "fp8",
    "fp8 in / bf16 out": "fp8", "fp8xfp8": "fp8", "fp8xfp4": "fp8", "bf16xbf16": "bf16", "fp4xfp4": "fp4",
}  # fmt: skip
FOUR_BIT_WEIGHTS = ("w4a8_mxfp4_mxfp8", "fp8xfp4")


def _known(line: Line, column: str, names: Mapping[str, str]) -> str:
    written = line.text(column)
    if written not in names:
        line.refuse(column, f'"{written}" is not one of {", ".join(names)}{did_you_mean(written, names)}')
    return names[written]


def _stack(line: Line, *columns: str) -> str:
    return " ".join(dict.fromkeys(line.text(column) for column in columns if line.text(column)))


def _public_gemm(line: Line) -> Sample | str:
    if line.text("dtype") in ("int8_wo", "int4_wo"):
        return "weights in 8 or 4 bit, arithmetic in 16 bit: no curve of ours"
    precision, software = _known(line, "dtype", FORMAT_NAMES), _stack(line, "framework", "dtype")
    return _gemm(line, _known(line, "system", CHIPS), precision, line.value("latency_ms") * 1e-3, software)


def _public_attention(line: Line) -> Sample | str:
    """Grouped-query and latent attention; TensorRT-LLM computes in FP8 where its cache is FP8."""
    latent = "mla_dtype" in line.cells
    precision = "fp8" if "fp8" in line.text("attn_dtype") + line.text("kv_cache_dtype") else "bf16"
    if latent and line.text("scope") != "kernel":
        return "attention with its projections, not the core alone"
    if latent and precision == "fp8" and line.text("framework") == "SGLang":
        return "untuned FP8 latent attention of SGLang (130 of 680 TFLOP/s)"
    decode = line.text("phase") == "decode"
    new, past = line.value("isl"), line.value("kv_len_before")
    if latent:
        kind: GroupedAttention | LatentAttention = _mla(line.value("num_heads"), **DEEPSEEK_MLA)
    else:
        kind = _gqa(*(line.value(name) for name in ("num_heads", "num_key_value_heads", "head_dim")))
    software = _stack(line, "framework") + (" latent" if latent else " grouped-query")
    return _attention(
        kind, _known(line, "system", CHIPS), "attention_decode" if decode else "attention_prefill", precision,
        line.value("latency_ms") * 1e-3, software,
        batch=line.value("batch_size"), new=new, past=past, cache_bytes=BYTES[precision],
    )  # fmt: skip


def _public_experts(line: Line) -> Sample | str:
    """Fused expert layers: ``num_tokens`` tokens enter the expert-parallel group, one rank is timed."""
    if line.text("distribution") not in ("balanced", "uniform"):
        return "skewed routing: imbalance is a term of its own"
    if line.text("moe_dtype") in ("int4_wo", "w4a16_mxfp4"):
        return "weights in 8 or 4 bit, arithmetic in 16 bit: no curve of ours"
    precision, ranks = _known(line, "moe_dtype", FORMAT_NAMES), line.value("moe_ep_size")
    width = BYTES["fp4"] if line.text("moe_dtype") in FOUR_BIT_WEIGHTS else BYTES[precision]
    return _experts(
        _known(line, "system", CHIPS), precision, line.value("latency_ms") * 1e-3,
        _stack(line, "framework", "kernel_source", "phase", "moe_dtype"),
        copies=line.value("num_tokens") * line.value("topk") / ranks, experts=line.value("num_experts") / ranks,
        hidden=line.value("hidden_size"), inner=line.value("inter_size") / line.value("moe_tp_size", 1.0),
        weight_width=width,
    )  # fmt: skip


def _public_collective(line: Line) -> Transfer:
    operation = line.text("op").replace("alltoall", "all_to_all")
    payload = 2.0 * line.value("message_elems")  # the table counts two-byte elements
    return Transfer(
        _known(line, "system", CHIPS), operation, line.value("num_gpus"), payload,
        line.value("latency_ms") * 1e-3, line.text("library"),
    )  # fmt: skip


def _module(line: Line) -> str:
    return "attention with its projections, not the core alone"


# --- public tables: DeepSeek's READMEs (times in microseconds) ------------------------------------------------------


def _published(line: Line) -> Sample | str:
    """DeepGEMM for Hopper and Ascend; rates without a shape cannot be fitted."""
    operation, chip = line.text("op"), CHIPS.get(line.text("hardware"), "")
    if not chip or not (line.text("M") and line.text("latency_us")):
        return "a rate without the shape of its kernel, or another operation"
    seconds = line.value("latency_us") * 1e-6
    if operation == "mhc_prenorm_gemm":  # its traffic is that of 16-bit inputs
        return _gemm(line, chip, "bf16", seconds, line.text("library"), "M N K")
    if "gemm" not in operation:
        return "a rate without the shape of its kernel, or another operation"
    precision = _known(line, "dtype", FORMAT_NAMES)
    width = BYTES["fp4"] if line.text("dtype") in FOUR_BIT_WEIGHTS else 0.0
    one = _gemm(line, chip, precision, seconds, _stack(line, "library", "dtype"), "M N K", width)
    if operation == "dense_gemm":
        return one
    groups = line.value("groups")
    # One of the two products of an expert layer: half of its fixed time.
    return replace(
        one, family="grouped_gemm", flop=groups * one.flop, moved=groups * one.moved, launches=0.5,
        software=_stack(line, "library", "op", "dtype"),
    )  # fmt: skip


FORMATS: dict[tuple[str, ...], Reader] = {
    NEEDED: _own,
    ("system", "dtype", "m", "n", "k", "latency_ms"): _public_gemm,
    ("system", "attn_dtype", "num_key_value_heads", "latency_ms"): _public_attention,
    ("system", "mla_dtype", "scope", "num_heads", "latency_ms"): _public_attention,
    ("system", "mla_dtype", "compress_ratio", "latency_ms"): _module,
    ("system", "moe_dtype", "topk", "num_experts", "moe_ep_size", "latency_ms"): _public_experts,
    ("system", "op", "num_gpus", "message_elems", "latency_ms"): _public_collective,
    ("library", "hardware", "op", "M", "N", "K", "latency_us"): _published,
}
