"""What the words of a training table mean, however its writer spelled them, and what was taken for granted."""

from __future__ import annotations

import re

from sim.study.validation.cases import CannotPredict, Case

YES = frozenset({"true", "yes", "y", "t", "1", "on"})
NO = frozenset({"false", "no", "n", "f", "0", "off", "none"})
KERNELS = re.compile(r"fa-?[234]?|(flash|fused).*|sdpa|te")  # names of fused attention kernels
SCHEDULES = {
    "": "1f1b",
    "none": "1f1b",
    "1f1b": "1f1b",
    "gpipe": "1f1b",  # same idle time; it differs in memory alone
    "interleaved": "interleaved",
    "dualpipe": "dualpipe",
    "dualpipev": "dualpipev",
    "zb": "zero-bubble",
}
SIXTEEN_BITS = re.compile(r"|.*(BF|FP|FLOAT|F|AMP|HALF|MIX).*")
CONVENTIONS = frozenset({"model_causal", "model_full", "hardware_full_recompute"})
USUAL_CONVENTION = "model_full"  # attention counted over the whole square, as most papers do


def said(case: Case, column: str) -> bool | None:
    """Yes or no in a cell; None where it says neither."""
    written = case.text(column).lower()
    if written in YES or (column == "fused_attention" and KERNELS.fullmatch(written)):
        return True
    return False if written in NO else None


def schedule_of(case: Case) -> str:
    """Pipeline schedule of a row; ``1f1b`` where its word is not known."""
    return _schedule(case.text("schedule")) or "1f1b"


def _schedule(written: str) -> str | None:
    word = re.sub(r"[^a-z0-9]", "", written.lower())
    if word in SCHEDULES:
        return SCHEDULES[word]
    if word.startswith("dualpipe"):
        return "dualpipev" if word.endswith("v") else "dualpipe"
    if word.startswith(("zb", "zero")):
        return "zero-bubble"
    return "interleaved" if "interleav" in word or word in ("vpp", "virtual") else None


def zero_stage(case: Case) -> int:
    """Stage of state sharding over data ranks; 1 where the row does not say.

    Raises
    ------
    CannotPredict
        When the cell holds neither a stage nor a word for one.
    """
    word = re.sub(r"[^a-z0-9]", "", case.text("zero_stage").lower())
    if found := re.fullmatch(r"(?:zero)?([0-3])(?:0)?", word):
        return int(found[1])
    if word.startswith(("fsdp", "hsdp", "fullshard")):
        return 3
    if word in ("none", "ddp"):
        return 0
    if word in ("", "distopt", "distributedoptimizer"):
        return 1
    raise CannotPredict(
        f'zero_stage: read "{case.text("zero_stage")[:60]}", where 0 to 3 or fsdp is expected'
    )


def depth(case: Case) -> int | None:
    """Virtual stages per pipeline rank; None where they are not published."""
    if case.text("vpp").lower() in ("", "none"):
        return None
    return int(case.number("vpp"))


def month(case: Case) -> str:
    """Month of the software as ``2024-09``, or its year; "" where the cell holds no date."""
    found = re.match(r"(\d{4})(?:[-/.](\d{2}))?(?!\d)", case.text("software_date"))
    return "" if not found else found[1] + (f"-{found[2]}" if found[2] else "")


def convention(case: Case) -> str:
    """Which FLOPs a row counts; the usual ones where it does not say."""
    written = case.text("flop_convention").lower()
    return written if written in CONVENTIONS else USUAL_CONVENTION


def taken_for_granted(case: Case) -> list[str]:
    """What a prediction of the row rests on besides its cells; for the remarks."""
    found = []
    if _schedule(case.text("schedule")) is None:
        found.append(f'schedule "{case.text("schedule")[:40]}" read as 1F1B')
    if not SIXTEEN_BITS.fullmatch(case.text("precision").upper()):
        found.append(f'precision "{case.text("precision")[:40]}" read as 16 bit')
    counts = case.text("metric") in ("mfu", "tflops_per_chip")
    if counts and case.text("flop_convention").lower() not in CONVENTIONS:
        found.append("FLOPs not defined: attention counted in full")
    if case.text("metric") == "mfu" and not case.text("mfu_peak_tflops"):
        found.append("mfu_peak_tflops not given: dense 16-bit peak of the datasheet")
    if (ranks := _stage_ranks(case)) and case.number("ep", 1.0) > ranks:
        found.append(f"ep = {case.text('ep')} read as {ranks:,}, the ranks of a stage")
    replicas = case.number("dp", 1.0) * case.number("micro_batch", 1.0) * case.number("seq_len", 0.0)
    if case.text("global_batch_tokens") and case.number("global_batch_tokens") < 0.95 * replicas:
        found.append("fewer sequences per step than dp x micro_batch")
    if case.text("value") and case.measured != case.measured:
        found.append(f'value: "{case.text("value")[:40]}" is no number above zero, so the row is not scored')
    return found


def _stage_ranks(case: Case) -> int:
    """Ranks of a pipeline stage; 0 where the row does not tell."""
    if not case.text("tp") or not case.text("pp"):
        return 0
    if case.text("dp"):
        return int(case.number("tp") * case.number("cp", 1.0) * case.number("dp"))
    return int(case.number("n_chips", 0.0) / case.number("pp"))
