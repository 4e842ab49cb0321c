"""What a line of the training table says about batch, recompute and stages."""

from __future__ import annotations

import re
from dataclasses import replace

from sim.physics.memory import FULL, NO_RECOMPUTE, SELECTIVE, Recompute
from sim.study.validation.cases import CannotPredict, Case
from sim.study.validation.training_words import schedule_of

LARGEST = {  # of what a table can mean; anything beyond is a slip of the pen, and would take for ever
    "n_chips": 1e7, "seq_len": 1e9, "global_batch_tokens": 1e12, "tp": 1e6, "pp": 1e4, "cp": 1e6, "dp": 1e7, "ep": 1e6,
    "vpp": 1e3, "micro_batch": 1e6, "num_micro_batches": 1e6, "zero_shard_size": 1e7, "scale_up_domain": 1e7,
    "chips_per_node": 1e6,
}  # fmt: skip
MOST_STAGES = 1_000
LAYER_LIST = re.compile(r"\d+(x\d+)?(\+\d+(x\d+)?)*")
LAYOUT_STRING = re.compile(r"([EtmL|]|\([EtmL|*0-9]*\)\*\d+|\*\d+)*")
KNOWN_RECOMPUTE = re.compile(r"(none|no|false|off)$|(full|block|uniform|selective)\b")
POSITIVE = ("nic_gbps_per_chip", "mfu_peak_tflops", "tokens_total_T", "duration_days")


def check_plausible(case: Case) -> None:
    """See to it that counts are whole numbers from one on, and amounts above zero.

    Raises
    ------
    CannotPredict
        When a cell holds something else.
    """
    for column, largest in LARGEST.items():
        if column == "vpp" and case.text(column).lower() == "none":
            continue
        count = case.number(column, 1.0)
        if count != int(count) or not 1 <= count <= largest:
            raise CannotPredict(
                f'{column}: read "{case.text(column)}", where a whole number up to {largest:,.0f} is expected'
            )
    check_degrees(case)
    for column in POSITIVE:
        if case.number(column, 1.0) <= 0:
            raise CannotPredict(
                f'{column}: read "{case.text(column)}", where a number above zero is expected'
            )


def check_degrees(case: Case) -> None:
    """See to it that the parallel degrees of a row make up its chips.

    Raises
    ------
    CannotPredict
        When they do not.
    """
    if not case.text("n_chips") or not case.text("tp") or not case.text("pp"):
        return
    chips = case.number("n_chips")
    names = [name for name in ("tp", "pp", "cp", "dp") if case.text(name)]
    product = 1.0
    for name in names:
        product *= case.number(name)
    if product == chips if case.text("dp") else chips % product == 0:
        return
    raise CannotPredict(f"{' x '.join(names)} = {product:,.0f} does not go into n_chips = {chips:,.0f}")


def global_batch(case: Case) -> float:
    """Tokens per optimizer step."""
    if case.text("global_batch_tokens"):
        tokens, sequence = case.number("global_batch_tokens"), case.number("seq_len", 1.0)
        if tokens < sequence:
            raise CannotPredict(
                f"global_batch_tokens = {tokens:,.0f} is less than one sequence of {sequence:,.0f} tokens"
            )
        return tokens
    if not case.text("num_micro_batches") or not case.text("micro_batch"):
        raise CannotPredict("global_batch_tokens is not published")
    replicas = case.number("dp", 1.0)
    return case.number("num_micro_batches") * case.number("micro_batch") * replicas * case.number("seq_len")


def recompute_policies(case: Case, layers: int) -> tuple[Recompute, ...]:
    """The policy of the row, or all that may have been used when it is not published."""
    written = case.text("recompute_std").lower()
    if not written or not KNOWN_RECOMPUTE.match(written):
        return (NO_RECOMPUTE, SELECTIVE, FULL)
    if written in ("none", "no", "false", "off"):
        return (NO_RECOMPUTE,)
    if written.startswith(("full", "block", "uniform")):
        return (replace(FULL, layers=_recomputed_layers(written, case, layers)),)
    modules = set(re.split(r"[+,]\s*", written.partition(":")[2])) - {""}
    if not modules:
        return (SELECTIVE,)
    half = 0.5 if "every_2nd_op" in modules else 0.0
    return (
        Recompute(
            written,
            core=float("core_attn" in modules),
            latent_up=float("mla_up_proj" in modules),
            projections=half,
            ffn=float(bool(modules & {"mlp", "moe"})) or half,
            experts=float("moe" in modules),
            elementwise=float(
                bool(modules & {"rmsnorm", "layernorm", "norm", "swiglu", "moe_act", "act", "every_2nd_op"})
            ),
        ),
    )


def _recomputed_layers(written: str, case: Case, layers: int) -> float:
    """Share of the layers in ``full``, ``full:21 of 80 layers``, ``full:8 layers per stage``, ``full:4 layers``."""
    numbers = [float(number) for number in re.findall(r"\d+", written)]
    if not numbers:
        return 1.0
    if "of" in written and len(numbers) > 1:
        return numbers[0] / numbers[1]
    stages = case.number("pp", 1.0) if "stage" in written else 1.0
    return min(1.0, numbers[0] * stages / layers)


def stage_layers(case: Case, layers: int) -> tuple[tuple[int, ...], str]:
    """Decoder layers per pipeline rank as published, and why they are not used.

    From ``7x1+8x14+7x1`` or a Megatron layout string. A blank cell means equal stages where the layers divide, as the
    stacks deal them out unless told otherwise; empty where they do not divide, and where the cell does not fit the model
    or the ranks of the row: then the layers are dealt out as evenly as can be, the head counted as one.
    """
    if not case.text("layers_per_stage"):
        return _equal_split(case, layers), ""
    try:
        split = _published_split(case)
    except CannotPredict as refusal:
        return (), f"{refusal}; split evenly"
    beyond = sum(split) - layers
    if split and 0 < beyond <= case.number("mtp_layers", 0.0) and split[-1] > beyond:
        *others, last = split
        split = (*others, last - beyond)  # the layer of the multi-token prediction was counted with them
    if split and sum(split) != layers:
        return (), f"layers_per_stage has {sum(split)} layers, the model {layers}; split evenly"
    return split, ""


def _equal_split(case: Case, layers: int) -> tuple[int, ...]:
    ranks = int(case.number("pp", 1.0))
    folded = schedule_of(case) in ("dualpipe", "dualpipev")  # both ends of the model are on one rank
    return () if ranks == 1 or folded or layers % ranks else (layers // ranks,) * ranks


def _published_split(case: Case) -> tuple[int, ...]:
    written = case.text("layers_per_stage")
    if not LAYER_LIST.fullmatch(written) and not LAYOUT_STRING.fullmatch(written):
        raise CannotPredict(
            f'layers_per_stage: read "{written[:60]}", where 7x1+8x14 or Et|(tt|)*2tL is expected'
        )
    if max(map(int, re.findall(r"\d+", written)), default=0) > MOST_STAGES:
        raise CannotPredict(f"layers_per_stage: more than {MOST_STAGES:,} stages or layers")
    if "|" not in written and "t" not in written:
        found: list[int] = []
        for part in written.split("+"):
            count, _, times = part.partition("x")
            found += [int(count)] * int(times or 1)
        if len(found) != int(case.number("pp", 1.0)):
            raise CannotPredict(
                f"layers_per_stage has {len(found)} stages, but pp = {case.text('pp') or '1'}"
            )
        return tuple(found)
    ranks = int(case.number("pp", 1.0))
    per_rank = [0] * ranks
    for index, stage in enumerate(_expanded(written).split("|")):
        per_rank[index % ranks] += stage.count("t")
    return tuple(per_rank)


def _expanded(layout: str) -> str:
    """Layout string with repetitions written out: ``Et|(tt|)*2tL`` to ``Et|tt|tt|tL``; groups do not nest."""
    layout = re.sub(r"\(([^)]*)\)\*(\d+)", lambda m: _expanded(m[1]) * int(m[2]), layout)
    return re.sub(r"([EtmL])\*(\d+)", lambda m: m[1] * int(m[2]), layout)
