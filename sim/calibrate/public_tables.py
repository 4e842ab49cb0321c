"""Readers of the public tables: aiconfigurator-core and DeepSeek's READMEs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sim.calibrate.lines import Line
from sim.calibrate.samples import (
    BYTES,
    Sample,
    Transfer,
    attention_sample,
    expert_sample,
    grouped_attention,
    latent_attention,
    product_sample,
)
from sim.physics.attention_shapes import GroupedAttention, LatentAttention
from sim.units import did_you_mean

Reader = Callable[[Line], Sample | Transfer | str]
DEEPSEEK_MLA = {"latent": 512.0, "nope": 128.0, "rope": 64.0, "value": 128.0}  # what public MLA kernels run


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
    return product_sample(
        line, _known(line, "system", CHIPS), precision, line.value("latency_ms") * 1e-3, software
    )


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
        kind: GroupedAttention | LatentAttention = latent_attention(line.value("num_heads"), **DEEPSEEK_MLA)
    else:
        kind = grouped_attention(
            *(line.value(name) for name in ("num_heads", "num_key_value_heads", "head_dim"))
        )
    software = _stack(line, "framework") + (" latent" if latent else " grouped-query")
    return attention_sample(
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
    return expert_sample(
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
        return product_sample(line, chip, "bf16", seconds, line.text("library"), "M N K")
    if "gemm" not in operation:
        return "a rate without the shape of its kernel, or another operation"
    precision = _known(line, "dtype", FORMAT_NAMES)
    width = BYTES["fp4"] if line.text("dtype") in FOUR_BIT_WEIGHTS else 0.0
    one = product_sample(line, chip, precision, seconds, _stack(line, "library", "dtype"), "M N K", width)
    if operation == "dense_gemm":
        return one
    groups = line.value("groups")
    # One of the two products of an expert layer: half of its fixed time.
    return replace(
        one, family="grouped_gemm", flop=groups * one.flop, moved=groups * one.moved, launches=0.5,
        software=_stack(line, "library", "op", "dtype"),
    )  # fmt: skip


PUBLIC_FORMATS: dict[tuple[str, ...], Reader] = {
    ("system", "dtype", "m", "n", "k", "latency_ms"): _public_gemm,
    ("system", "attn_dtype", "num_key_value_heads", "latency_ms"): _public_attention,
    ("system", "mla_dtype", "scope", "num_heads", "latency_ms"): _public_attention,
    ("system", "mla_dtype", "compress_ratio", "latency_ms"): _module,
    ("system", "moe_dtype", "topk", "num_experts", "moe_ep_size", "latency_ms"): _public_experts,
    ("system", "op", "num_gpus", "message_elems", "latency_ms"): _public_collective,
    ("library", "hardware", "op", "M", "N", "K", "latency_us"): _published,
}
