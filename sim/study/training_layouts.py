"""Layouts that a published run may have used, where the table leaves something open."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sim.layout.layouts import Layouts, concatenate, single_layout
from sim.study.training_cases import Setting
from sim.study.validation import CannotPredict, Case
from sim.training.job import TrainingJob

SCHEDULES = {
    "": "1f1b",
    "none": "1f1b",
    "1f1b": "1f1b",
    "interleaved": "interleaved",
    "dualpipe": "dualpipe",
    "dualpipev": "dualpipe",
    "zb": "zero-bubble",
}


def candidate_layouts(setting: Setting, job: TrainingJob) -> tuple[Layouts, tuple[str, ...]]:
    """Layouts a row may have run in, and the inputs that were not published.

    Raises
    ------
    CannotPredict
        When the degrees of parallelism are not published.
    """
    case = setting.case
    if not case.text("tp") or not case.text("pp"):
        raise CannotPredict("tp or pp is not published")
    tp, pp, cp, ep = (int(case.number(name, 1.0)) for name in ("tp", "pp", "cp", "ep"))
    dp = int(case.number("dp", case.number("n_chips") / (tp * pp * cp)))
    # With pipeline stages, stacks that shard weights keep them gathered over the step, so only the rest stays
    # sharded.
    written = case.text("zero_stage").lower()
    zero = 3 if written in ("fsdp", "hsdp") else int(case.number("zero_stage", 1.0))
    zero = min(zero, 2) if pp > 1 else zero
    schedule = SCHEDULES.get(case.text("schedule").lower(), "1f1b")
    blank: list[str] = []
    sizes, depths = _micro_batches(case, job, dp, blank), _chunks(case, job, pp, schedule, blank)
    if len(job.policies) > 1:
        blank.append("recompute")
    rows = []
    for size in sizes:
        count = _count(job.sequences / (dp * size))
        for depth in depths:
            for code in range(len(job.policies)):
                layout = single_layout(
                    tp=tp,
                    pp=pp,
                    cp=cp,
                    dp=dp,
                    ep=ep,
                    etp=_expert_tensor(tp, ep, case),
                    vpp=depth,
                    micro_batch=size,
                    micro_batches=count,
                    schedule="interleaved" if depth > 1 and schedule == "1f1b" else schedule,
                    zero=zero,
                    zero_shard=int(case.number("zero_shard_size", dp * cp)),
                )
                rows.append(replace(layout, recompute=np.array([code])))
    return concatenate(rows), tuple(blank)


def _count(exact: float) -> int:
    """Micro-batches of a replica: published batches are rounded, so a few per cent too many are no further one."""
    whole = int(np.floor(exact + 1e-9))
    return whole if whole >= 1 and exact - whole <= 0.05 else whole + 1


def _expert_tensor(tp: int, ep: int, case: Case) -> int | None:
    """Ranks that share an expert where the row says so."""
    found = re.search(r"expert tensor parallel (\d+)", case.text("sim_note"))
    return int(found[1]) if found and ep > 1 else None


def _micro_batches(case: Case, job: TrainingJob, dp: int, blank: list[str]) -> list[int]:
    if case.text("micro_batch"):
        return [int(case.number("micro_batch"))]
    local = job.sequences / dp
    if case.text("num_micro_batches"):
        return [max(1, round(local / case.number("num_micro_batches")))]
    blank.append("micro_batch")
    return [size for size in (1, 2, 4, 8, 16) if size <= max(1.0, local)]


def _chunks(case: Case, job: TrainingJob, pp: int, schedule: str, blank: list[str]) -> list[int]:
    if pp == 1:
        return [1]
    if case.text("vpp"):
        return [int(case.number("vpp"))]
    if schedule != "interleaved":
        return [1]
    blank.append("vpp")
    layers = max(job.stage_layers or (job.architecture.layers // pp,))
    return [depth for depth in range(1, layers + 1) if layers % depth == 0]
