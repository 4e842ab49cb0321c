"""What strangers write in a serving table, in the words of the model: other spellings, and cells that others imply."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sim.profiles.catalogue import Catalogue
from sim.profiles.model import Weights
from sim.serving.job import STORED_BYTES
from sim.study.validation.cases import CannotPredict, Case

UNSAID = frozenset({"", "-", "?", "n/a", "na", "nan", "none", "null", "unknown", "auto", "default"})
DTYPES = {
    "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float8": "fp8", "mxfp8": "fp8", "e4m3": "fp8", "e5m2": "fp8",
    "fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "fp8-block": "fp8", "fp8_block": "fp8", "w8a8": "int8", "mxfp4": "fp4",
    "nvfp4": "fp4", "e2m1": "fp4", "w4a16": "int4", "awq": "int4", "gptq": "int4", "w4afp8": "w4a8",
}  # fmt: skip
LOADS = {
    "offline": "saturated", "max_throughput": "saturated", "throughput": "saturated", "open_loop": "open_loop_trace",
    "poisson": "open_loop_trace", "request_rate": "open_loop_trace", "static_batch": "fixed_batch", "batch": "fixed_batch",
    "static": "fixed_batch", "single": "single_request", "concurrency": "closed_loop", "slo": "slo_max_rate",
}  # fmt: skip
PHASES = {"aggregated": "both", "e2e": "both", "end_to_end": "both", "mixed": "both", "all": "both", "generation": "decode",
          "context": "prefill"}  # fmt: skip
METRICS = {
    "tokens_per_s_per_gpu": "tokens_per_s_per_chip", "tokens_per_s_per_npu": "tokens_per_s_per_chip",
    "output_tokens_per_s_per_chip": "tokens_per_s_per_chip", "output_tokens_per_s_per_gpu": "tokens_per_s_per_chip",
    "total_tokens_per_s_per_gpu": "total_tokens_per_s_per_chip", "ttft": "ttft_ms", "tpot": "tpot_ms", "e2e": "e2e_ms",
    "tokens_per_s_per_mw": "tokens_per_s_per_MW", "usd_per_mtok": "usd_per_Mtok",
}  # fmt: skip
ENGINES = (("sglang", "sglang"), ("vllm", "vllm"), ("tensorrt", "trtllm"), ("trt", "trtllm"))
SOURCE = {  # the columns that hold a source as found, and the normalised ones
    "input_len": "isl", "output_len": "osl", "cache_hit_rate": "cached_fraction", "request_rate": "request_rate_total",
    "mtp_accept": "accepted_tokens_per_step",
}  # fmt: skip
BATCHES = {
    "total": "concurrency_total",
    "per_chip": "batch_per_chip",
    "max_num_seqs": "max_batch_per_instance",
}
VARIANTS = {"h20/141g": "h20-3e", "h100-sxm/96g": "h100-96g-500w"}


def tidied(case: Case) -> Case:
    """The row with its words in lower case and in one spelling; what nobody knows stays as written."""
    row = dict(case.row)

    def put(column: str, words: Mapping[str, str], joined: bool = True) -> None:
        if not case.text(column):
            return
        word = case.text(column).lower()
        word = re.sub(r"[\s\-]+", "_", word) if joined else word
        row[column] = words.get(word, word)

    for column in ("weights_dtype", "nonexpert_dtype", "compute_dtype", "kv_dtype"):
        put(column, DTYPES, joined=False)
        if row.get(column) in UNSAID:
            row[column] = ""
    put("load_mode", LOADS)
    put("phase", PHASES)
    put("metric", METRICS)
    put("expert_balance", {})
    put("overlap", {})
    for column in ("tokens_counted", "chip", "model_id", "chip_variant"):
        put(column, {}, joined=False)
    put("engine", {}, joined=False)
    row["engine"] = next(
        (name for part, name in ENGINES if part in (row.get("engine") or "")), row.get("engine") or ""
    )
    return replace(case, row=row)


@dataclass(frozen=True, slots=True)
class Filled:
    """A row whose missing cells others imply.

    Attributes
    ----------
    notes : tuple of str
        What was filled and from what, for the reader of the page.
    """

    case: Case
    notes: tuple[str, ...] = ()

    def put(self, note: str = "", **cells: str) -> Filled:
        """The same with cells set."""
        notes = (*self.notes, note) if note else self.notes
        return Filled(replace(self.case, row={**self.case.row, **cells}), notes)


def filled(case: Case, ranks_per_chip: float, released: Weights | None = None) -> Filled:
    """What the cells of a row imply for those left empty: lengths and load, number formats, phase, layout, drafts.

    Parameters
    ----------
    ranks_per_chip : float
        Devices that the engine sees in a package.
    released : Weights, optional
        Number formats of the released weights of the model.
    """
    ranks = case.number("n_chips", 0.0) * ranks_per_chip
    row = _phase(_formats(_as_found(Filled(case)), released))
    return _chips(_drafts(_layout(_old_layout(row, ranks), ranks)), ranks_per_chip)


def chip_of(case: Case, catalogue: Catalogue) -> str:
    """Id of the chip, its variant included where the catalogue tells it apart."""
    chip = case.id("chip")
    variant = case.text("chip_variant").removesuffix("-bin")
    if not variant:
        return chip
    known = set(catalogue.ids("chips"))
    named = (VARIANTS.get(f"{chip}/{variant}", ""), f"{chip}-{variant}", f"{chip}{variant}", variant)
    return next((name for name in named if name in known), chip)


def _as_found(row: Filled) -> Filled:
    """Lengths and load from the columns that hold the source as found, where the normalised ones are empty."""
    case = row.case
    pairs = dict(SOURCE)
    loads = ("concurrency_total", "concurrency_effective", "batch_per_chip", "prefill_tokens_per_batch")
    if not any(case.text(name) for name in loads) and case.text("batch_scope").lower() in BATCHES:
        pairs["batch_or_concurrency"] = BATCHES[case.text("batch_scope").lower()]
    for found, normal in pairs.items():
        if not case.text(normal) and _positive(case, found):
            row = row.put(f"{normal} from {found}", **{normal: case.text(found)})
    return row


def _positive(case: Case, column: str) -> bool:
    try:
        return case.number(column, 0.0) > 0.0
    except CannotPredict:
        return False


def _formats(row: Filled, released: Weights | None) -> Filled:
    """Weights as their makers released them where the row says nothing."""
    if released is None or row.case.text("weights_dtype") or row.case.text("compute_dtype"):
        return row
    large = released.experts or released.linear
    if large not in STORED_BYTES or released.linear not in STORED_BYTES:
        return row
    other = {"nonexpert_dtype": released.linear} if released.experts else {}
    return row.put(f"weights as released, {large}", weights_dtype=large, **other)


def _phase(row: Filled) -> Filled:
    case = row.case
    if case.text("phase"):
        return row
    pools = bool(case.text("p_tp")), bool(case.text("d_tp"))
    single = {(True, False): "prefill", (False, True): "decode"}.get(pools, "both")
    alone = single == "prefill" or case.text("load_mode") == "fixed_batch"
    phase = single if alone else "both"
    return row.put(f"phase not given: {phase} taken", phase=phase)


def _count(case: Case, column: str) -> float:
    """A count in one of the columns that hold the source's words; NaN where it is none."""
    try:
        found = case.number(column, math.nan)
    except CannotPredict:
        return math.nan
    return found if found >= 1.0 and found == int(found) else math.nan


def _old_layout(row: Filled, ranks: float) -> Filled:
    """Layout from the source's own columns tp, dp, ep, pp where the normalised ones are empty."""
    case = row.case
    pool = "p" if case.text("phase") == "prefill" else "d"
    if case.text("d_tp") or case.text("p_tp") or math.isnan(_count(case, "tp")):
        return row
    tp, dp, pp = (_count(case, name) for name in ("tp", "dp", "pp"))
    dp, pp = (1.0 if math.isnan(x) else x for x in (dp, pp))
    if (
        tp * pp == ranks and dp > 1.0 and tp % dp == 0
    ):  # "TP16 with DP attention 4": four ranks share an attention
        tp /= dp
    cells = {f"{pool}_tp": f"{tp:g}", f"{pool}_dp": f"{dp:g}"}
    if not math.isnan(_count(case, "ep")):
        cells[f"{pool}_ep"] = f"{_count(case, 'ep'):g}"
    if pool == "d":
        cells["d_pp"] = f"{pp:g}"
    return row.put("layout from the columns tp, dp, ep, pp", **cells)


def _layout(row: Filled, ranks: float) -> Filled:
    """Attention replicas and instances that the expert width and the chips leave."""
    for pool in ("p", "d"):
        case = row.case
        if not case.text(f"{pool}_tp"):
            continue
        tp, ep = case.number(f"{pool}_tp"), case.number(f"{pool}_ep", 0.0)
        if not case.text(f"{pool}_dp") and ep > tp and ep % tp == 0:
            row = row.put(f"{pool}_dp from {pool}_ep", **{f"{pool}_dp": f"{ep / tp:g}"})
    case = row.case
    alone = not case.text("p_tp") and not case.text("p_instances")
    if case.text("d_tp") and alone and not case.text("d_instances") and case.text("phase") != "prefill":
        each = case.number("d_tp") * case.number("d_dp", 1.0) * case.number("d_pp", 1.0)
        row = row.put(d_instances=f"{max(math.floor(ranks / each), 1):d}")
    return row


def _drafts(row: Filled) -> Filled:
    case = row.case
    accepted, drafts = case.number("accepted_tokens_per_step", 1.0), case.number("draft_tokens", 0.0)
    if accepted > drafts + 1.0:
        least = math.ceil(accepted - 1e-9) - 1
        return row.put(
            f"{least} drafts taken: {accepted:g} tokens a step need them", draft_tokens=f"{least:d}"
        )
    if drafts and not case.text("accepted_tokens_per_step"):
        return row.put("acceptance of drafts not published: none taken")
    return row


def _chips(row: Filled, ranks_per_chip: float) -> Filled:
    """Chips of the layout where the row counts none."""
    case = row.case
    pools = {"d": ("d_instances", "d_tp", "d_dp", "d_pp"), "p": ("p_instances", "p_tp", "p_dp")}
    stated = [columns for pool, columns in pools.items() if case.text(f"{pool}_tp")]
    if case.text("n_chips") or not stated:
        return row
    ranks = sum(math.prod(case.number(column, 1.0) for column in columns) for columns in stated)
    return row.put(
        f"n_chips from the layout: {ranks / ranks_per_chip:g}", n_chips=f"{ranks / ranks_per_chip:g}"
    )
