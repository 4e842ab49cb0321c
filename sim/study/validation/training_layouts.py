"""Layouts that a published run may have used, where the table leaves something open."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import numpy as np

from sim.layout.enumerate import Options
from sim.layout.layouts import RECOMPUTE, Layouts, concatenate, single_layout
from sim.study.validation.cases import CannotPredict, Case
from sim.study.validation.training_cases import Setting, resolve_hardware
from sim.study.validation.training_words import depth, schedule_of, zero_stage
from sim.training.job import TrainingJob
from sim.training.search import NoLayoutError, search


def candidate_layouts(setting: Setting, job: TrainingJob) -> tuple[Layouts, tuple[str, ...]]:
    """Layouts a row may have run in, and the inputs that were not published.

    Without tensor or pipeline degree the best layouts of the whole cluster stand in.
    """
    case = setting.case
    if not case.text("tp") or not case.text("pp"):
        return _any_layout(setting, job), ("layout",)
    tp, pp, cp = (int(case.number(name, 1.0)) for name in ("tp", "pp", "cp"))
    dp = max(1, int(case.number("dp", case.number("n_chips") / (tp * pp * cp))))
    blank: list[str] = []
    schedule = schedule_of(case) if pp > 1 else "1f1b"
    sizes, depths = _micro_batches(case, job, dp, blank), _chunks(case, job, pp, schedule, blank)
    experts = _expert_ranks(case, job, tp * cp * dp, blank)
    if len(job.policies) > 1:
        blank.append("recompute")
    rows = []
    for size, chunks, ep, code in product(sizes, depths, experts, range(len(job.policies))):
        layout = single_layout(
            tp=tp,
            pp=pp,
            cp=cp,
            dp=dp,
            ep=ep,
            etp=_expert_tensor(ep, case),
            vpp=chunks,
            micro_batch=size,
            micro_batches=_count(job.sequences / (dp * size)),
            schedule="interleaved" if chunks > 1 and schedule == "1f1b" else schedule,
            zero=_zero_stage(case, pp),
            zero_shard=int(case.number("zero_shard_size", dp * cp)),
        )
        rows.append(replace(layout, recompute=np.array([code])))
    return concatenate(rows), tuple(blank)


def _any_layout(setting: Setting, job: TrainingJob) -> Layouts:
    """The best layouts of the cluster, for a row that gives none."""
    chip, network = resolve_hardware(setting)
    chips = int(setting.case.number("n_chips"))
    options = Options() if len(job.policies) == len(RECOMPUTE) else Options(recompute=("none",))
    try:
        return search(job, chip, network, chips, options=options).layouts
    except NoLayoutError as error:
        raise CannotPredict(f"the layout is not published, and {error}") from None


def _zero_stage(case: Case, pp: int) -> int:
    """Sharding stage; with pipeline stages, stacks that shard weights keep them gathered over the step."""
    zero = zero_stage(case)
    return min(zero, 2) if pp > 1 else zero


def _expert_ranks(case: Case, job: TrainingJob, ranks: int, blank: list[str]) -> list[int]:
    """Expert-parallel degree of the row, at most the ranks of a stage; or all that divide the experts and the ranks."""
    moe = job.architecture.moe
    if case.text("ep") or moe is None:
        return [min(int(case.number("ep", 1.0)), ranks)]
    blank.append("ep")
    return [ep for ep in range(1, moe.experts + 1) if moe.experts % ep == 0 and ranks % ep == 0]


def _count(exact: float) -> int:
    """Micro-batches of a replica: published batches are rounded, so a few per cent too many are no further one."""
    whole = int(np.floor(exact + 1e-9))
    return whole if whole >= 1 and exact - whole <= 0.05 else whole + 1


def _expert_tensor(ep: int, case: Case) -> int | None:
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
    if schedule == "dualpipev":
        return [2]
    if (published := depth(case)) is not None:
        return [published]
    if schedule != "interleaved":
        return [1]
    blank.append("vpp")
    layers = max(job.stage_layers or (job.architecture.layers // pp,))
    return [chunks for chunks in range(1, layers + 1) if layers % chunks == 0]
